"""PASCAL VOC, and its larger set of labels SBD: the data layers that the published nets name.

VOC's folder layout serves any data set: JPEGImages/NAME.jpg (or .png), SegmentationClass/NAME.png, and
ImageSets/Segmentation/SPLIT.txt with the names; give `n_classes` in param_str if it is not 21.
"""

from __future__ import annotations

import numpy as np

from fcn_caffe.data_layers.segdata import files, mat
from fcn_caffe.data_layers.segdata.layer import SegDataLayer

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class VOCSegDataLayer(SegDataLayer):
    """PASCAL VOC: `voc_dir` is a year's folder, such as VOC2011. Labels are PNGs with palette, in SegmentationClass or,
    where others take their place, in the folder `label_dir`."""

    requires = ("voc_dir", "split")
    accepts = ("n_classes", "label_dir")
    n_classes = len(CLASSES)

    def split_file(self) -> str:
        return self.folder("voc_dir", "ImageSets", "Segmentation", f"{self.split}.txt")

    def image_file(self, name: str) -> str:
        return files.find_image(self.folder("voc_dir", "JPEGImages", name))

    def label_file(self, name: str) -> str:
        if self.settings.get("label_dir"):
            return files.find_label(self.folder("label_dir", name))
        return files.find_label(self.folder("voc_dir", "SegmentationClass", name))


class SBDDSegDataLayer(SegDataLayer):
    """The Semantic Boundaries data set: `sbdd_dir` is its folder `dataset`, with img/, cls/ and SPLIT.txt.

    Labels are MATLAB files: GTcls.Segmentation. The split seg11valid is the part of VOC 2011 val that is not in SBD's
    training split.
    """

    requires = ("sbdd_dir", "split")
    n_classes = len(CLASSES)

    def split_file(self) -> str:
        return self.folder("sbdd_dir", f"{self.split}.txt")

    def image_file(self, name: str) -> str:
        return files.find_image(self.folder("sbdd_dir", "img", name))

    def label_file(self, name: str) -> str:
        return self.folder("sbdd_dir", "cls", f"{name}.mat")

    def read_label(self, path: str) -> np.ndarray:
        return mat.read_map(path, "GTcls", "Segmentation")
