"""NYUDv2: indoor scenes in colour and depth, with the labels of Gupta et al.'s 40 classes (CVPR 2013)."""

from __future__ import annotations

import os

import numpy as np

from fcn_caffe.data_layers.segdata import files, hha, labels, mat, params, splits
from fcn_caffe.data_layers.segdata.layer import Loader, SegDataLayer, planes

CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling", "books",
    "refridgerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand",
    "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip

HHA_MEAN = np.array((132.431, 94.076, 118.477))
LOG_DEPTH_MEAN = np.array((7.844,))
"""Of the natural logarithm of depth in millimetres: 2.55 m."""


class NYUDSegDataLayer(SegDataLayer):
    """NYUDv2: `nyud_dir` has data/images/img_NAME.png, data/depth/img_NAME.png, segmentation/img_NAME.mat, SPLIT.txt
    and, if it was computed before, data/hha/img_NAME.png.

    `tops` lists what the layer delivers, in its order:

    color   3×H×W, BGR minus the mean
    depth   1×H×W, logarithm of the depth, which the files have in millimetres, minus its mean; 0, which is the mean,
            where there is no depth
    hha     3×H×W, disparity, height and angle (segdata/hha.py) minus their mean; computed from the depth where there
            is no file, and rounded to 8 bits as a file would be
    metres  1×H×W, the depth in metres, for nets that learn it; 0 where there is no depth
    label   1×H×W, 0 to 39; void, which the files have as 0, is 255

    `camera`: (fx, fy, cx, cy) in pixels, for computing HHA; by default that of NYUDv2's images, whole or cropped. The
    split trainval, if there is no such list, is train and then val.
    """

    requires = ("nyud_dir", "split", "tops")
    accepts = ("n_classes", "camera")
    n_classes = len(CLASSES)
    own_mean = (116.190, 97.203, 92.318)

    @staticmethod
    def stored(n_classes: int) -> dict[int, int]:
        """Classes count from 1; 0 is void."""
        return labels.from_one(n_classes)

    def loaders(self) -> dict[str, Loader]:
        known = {
            "color": self.load_image,
            "depth": self.load_depth,
            "hha": self.load_hha,
            "metres": self.load_metres,
            "label": self.load_label,
        }
        tops = self.settings["tops"]
        legal = isinstance(tops, (list, tuple)) and all(isinstance(top, str) and top in known for top in tops)
        if not legal or not tops or len(set(tops)) != len(tops):
            raise ValueError(
                f"{self.who}: tops is {tops!r}, expected a list of different ones of {', '.join(known)}. "
                "Correct param_str."
            )
        return {top: known[top] for top in tops}

    def prepare(self) -> None:
        super().prepare()
        self.camera = None
        if "camera" in self.settings:
            camera = hha.Camera(*params.numbers(self.settings, "camera", hha.NYUD, "fx, fy, cx, cy", self.who))
            if camera.fx <= 0 or camera.fy <= 0:
                raise ValueError(f"{self.who}: camera is {camera}, expected fx and fy above 0. Correct param_str.")
            self.camera = camera

    def split_file(self) -> str:
        return self.folder("nyud_dir", f"{self.split}.txt")

    def names(self) -> list[str]:
        parts = [self.folder("nyud_dir", f"{part}.txt") for part in ("train", "val")]
        if self.split == "trainval" and not os.path.exists(self.split_file()) and all(map(os.path.exists, parts)):
            return [name for part in parts for name in splits.read_names(part, self.who)]
        return super().names()

    def image_file(self, name: str) -> str:
        return self.folder("nyud_dir", "data", "images", f"img_{name}.png")

    def depth_file(self, name: str) -> str:
        """The path of a depth image, in millimetres."""
        return self.folder("nyud_dir", "data", "depth", f"img_{name}.png")

    def hha_file(self, name: str) -> str:
        """The path of an image's HHA, if it was computed before."""
        return self.folder("nyud_dir", "data", "hha", f"img_{name}.png")

    def label_file(self, name: str) -> str:
        return self.folder("nyud_dir", "segmentation", f"img_{name}.mat")

    def read_label(self, path: str) -> np.ndarray:
        return mat.read_map(path, "segmentation")

    def load_depth(self, name: str) -> np.ndarray:
        """The depth, float32, 1×H×W: its logarithm minus the mean; 0 in holes."""
        logarithm = planes(np.log(files.read_depth(self.depth_file(name)))[:, :, np.newaxis], LOG_DEPTH_MEAN)
        return np.nan_to_num(logarithm, copy=False, nan=0.0)

    def load_metres(self, name: str) -> np.ndarray:
        """The depth, float32, 1×H×W, in metres; 0 in holes."""
        return np.nan_to_num(files.read_depth(self.depth_file(name)), copy=False, nan=0.0)[np.newaxis] / 1000

    def load_hha(self, name: str) -> np.ndarray:
        """The HHA image, float32, 3×H×W, minus its mean, in the order that its files have."""
        path = self.hha_file(name)
        if os.path.exists(path):
            return planes(files.read_image(path), HHA_MEAN)
        depth = files.read_depth(self.depth_file(name))
        return planes(hha.encode(depth, self.camera or hha.nyud_camera(*depth.shape)), HHA_MEAN)
