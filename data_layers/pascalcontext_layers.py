"""PASCAL-Context: PASCAL VOC 2010's images with every pixel labelled, as one of 459 classes.

Nets learn the 59 classes that are most frequent, or the 33 with which its authors began (Mottaghi et al., CVPR 2014).
"""

from __future__ import annotations

import numpy as np

from fcn_caffe.data_layers.segdata import files, labels, mat, params
from fcn_caffe.data_layers.segdata.layer import SegDataLayer

ALL = 459
VALUES = {
    "aeroplane": 2, "bicycle": 23, "bird": 25, "boat": 31, "bottle": 34, "bus": 45, "car": 59, "cat": 65,
    "chair": 72, "cow": 98, "diningtable": 397, "dog": 113, "horse": 207, "motorbike": 258, "person": 284,
    "pottedplant": 308, "sheep": 347, "sofa": 368, "train": 416, "tvmonitor": 427, "bag": 9, "bed": 18, "bench": 22,
    "book": 33, "building": 44, "cabinet": 46, "ceiling": 68, "clothes": 80, "computer": 85, "cup": 104,
    "door": 115, "fence": 144, "floor": 158, "flower": 159, "food": 162, "grass": 187, "ground": 189,
    "keyboard": 220, "light": 232, "mountain": 259, "mouse": 260, "curtain": 105, "platform": 296, "sign": 355,
    "plate": 295, "road": 324, "rock": 326, "shelves": 349, "sidewalk": 354, "sky": 360, "snow": 366,
    "bedcloth": 19, "track": 415, "tree": 420, "truck": 424, "wall": 440, "water": 445, "window": 454, "wood": 458,
}  # fmt: skip
"""The 59 classes, in the order of the data set's 59_labels.txt, and the value that each has in its label files. In the
list of all classes, labels.txt, three are called otherwise: table, bedclothes and cloth."""

CLASSES_33 = (
    *list(VALUES)[:20],
    "sky", "grass", "ground", "road", "building", "tree", "water", "mountain", "wall", "floor", "track", "keyboard",
    "ceiling",
)  # fmt: skip
"""In the order of its 33_labels.txt."""


class PASCALContextSegDataLayer(SegDataLayer):
    """PASCAL-Context: `voc_dir` has VOC2010, and `context_dir` has trainval/NAME.mat. No list of classes is needed.

    task         59 (default), 33 or 459: how many classes are told apart
    background   True (default): what is none of them is class 0, and they follow from 1, as in the published nets,
                 which so learn 60 classes. False: it is void, and they are 0, 1, 2, …, as the task has it.

    Void is 255; with 459 classes, of which 255 is one, it is 65535 (`loss_param { ignore_label: 65535 }`).
    """

    requires = ("voc_dir", "context_dir", "split")
    accepts = ("task", "background")
    own_mean = (104.007, 116.669, 122.679)

    def prepare(self) -> None:
        tasks = {59: list(VALUES.values()), 33: [VALUES[name] for name in CLASSES_33], ALL: list(range(1, ALL + 1))}
        values = tasks[params.choice(self.settings, "task", 59, tuple(tasks), self.who)]
        background = params.choice(self.settings, "background", True, (True, False), self.who)
        n_classes = len(values) + background
        stored = dict.fromkeys(range(ALL + 1), 0 if background else labels.void_of(n_classes))
        stored.update((value, cls) for cls, value in enumerate(values, start=int(background)))
        self.label_map = self.map_labels(stored, n_classes)

    def split_file(self) -> str:
        return self.folder("voc_dir", "VOC2010", "ImageSets", "Main", f"{self.split}.txt")

    def image_file(self, name: str) -> str:
        return files.find_image(self.folder("voc_dir", "VOC2010", "JPEGImages", name))

    def label_file(self, name: str) -> str:
        return self.folder("context_dir", "trainval", f"{name}.mat")

    def read_label(self, path: str) -> np.ndarray:
        return mat.read_map(path, "LabelMap")
