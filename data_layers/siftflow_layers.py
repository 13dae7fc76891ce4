"""SIFT Flow: outdoor scenes with two labels for each pixel, what it shows and how that surface lies."""

from __future__ import annotations

import numpy as np

from fcn_caffe.data_layers.segdata import labels, mat
from fcn_caffe.data_layers.segdata.layer import Loader, SegDataLayer

SEMANTIC = (
    "awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow", "crosswalk", "desert", "door",
    "fence", "field", "grass", "moon", "mountain", "person", "plant", "pole", "river", "road", "rock", "sand", "sea",
    "sidewalk", "sign", "sky", "staircase", "streetlight", "sun", "tree", "window",
)  # fmt: skip
GEOMETRIC = ("sky", "horizontal", "vertical")

_SCENES = "spatial_envelope_256x256_static_8outdoorcategories"


class SIFTFlowSegDataLayer(SegDataLayer):
    """SIFT Flow: `siftflow_dir` has Images/, SemanticLabels/ and GeoLabels/, each with the folder of its scenes, and
    SPLIT.txt.

    Tops: `data`, 3×H×W, BGR minus the mean; `sem`, 1×H×W, 0 to 32; `geo`, 1×H×W, 0 to 2. Void is 255 in both; the
    files have it as 0, and as -1 or 0 in the geometric labels. `classes` chooses among the semantic ones.
    """

    requires = ("siftflow_dir", "split")
    accepts = ()
    own_mean = (114.578, 115.294, 108.353)

    def loaders(self) -> dict[str, Loader]:
        return {"data": self.load_image, "sem": self.load_semantic, "geo": self.load_geometric}

    def prepare(self) -> None:
        self.semantic = self.map_labels(labels.from_one(len(SEMANTIC)), len(SEMANTIC))
        geometric = {-1: labels.VOID, **labels.from_one(len(GEOMETRIC))}
        self.geometric = labels.LabelMap(geometric, len(GEOMETRIC))

    def split_file(self) -> str:
        return self.folder("siftflow_dir", f"{self.split}.txt")

    def image_file(self, name: str) -> str:
        return self.folder("siftflow_dir", "Images", _SCENES, f"{name}.jpg")

    def load_semantic(self, name: str) -> np.ndarray:
        """What each pixel shows, uint8, 1×H×W."""
        return self._load_map("SemanticLabels", name, self.semantic)

    def load_geometric(self, name: str) -> np.ndarray:
        """How its surface lies, uint8, 1×H×W."""
        return self._load_map("GeoLabels", name, self.geometric)

    def _load_map(self, folder: str, name: str, label_map: labels.LabelMap) -> np.ndarray:
        path = self.folder("siftflow_dir", folder, _SCENES, f"{name}.mat")
        return label_map(mat.read_map(path, "S"), path)[np.newaxis]
