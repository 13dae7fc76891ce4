"""CamVid as Cambridge publishes it: labels whose classes are colours. (As SegNet's authors pass it on, in PASCAL VOC's
layout, voc_layers reads it.)"""

from __future__ import annotations

import os

import numpy as np

from fcn_caffe.data_layers.segdata import files, labels, splits
from fcn_caffe.data_layers.segdata.layer import ILSVRC_MEAN, SegDataLayer

CLASSES = {
    "sky": {"Sky": (128, 128, 128)},
    "building": {
        "Archway": (192, 0, 128),
        "Bridge": (0, 128, 64),
        "Building": (128, 0, 0),
        "Tunnel": (64, 0, 64),
        "Wall": (64, 192, 0),
    },
    "pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "road": {"LaneMkgsDriv": (128, 0, 192), "LaneMkgsNonDriv": (192, 0, 64), "Road": (128, 64, 128)},
    "pavement": {"ParkingBlock": (64, 192, 128), "RoadShoulder": (128, 128, 192), "Sidewalk": (0, 0, 192)},
    "tree": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "sign": {"Misc_Text": (128, 128, 64), "SignSymbol": (192, 128, 128), "TrafficLight": (0, 64, 64)},
    "fence": {"Fence": (64, 64, 128)},
    "car": {
        "Car": (64, 0, 128),
        "OtherMoving": (128, 64, 64),
        "SUVPickupTruck": (64, 128, 192),
        "Train": (192, 64, 128),
        "Truck_Bus": (192, 128, 192),
    },
    "pedestrian": {
        "Animal": (64, 128, 64),
        "CartLuggagePram": (64, 0, 192),
        "Child": (192, 128, 64),
        "Pedestrian": (64, 64, 0),
    },
    "bicyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
}
"""SegNet's 11 classes (Badrinarayanan, Kendall and Cipolla, PAMI 2017): those of CamVid's 32 that make up each, and
their colours (red, green, blue), as in CamVid's label_colors.txt. The 32nd is Void."""
VOID_COLOUR = (0, 0, 0)


class CamVidSegDataLayer(SegDataLayer):
    """CamVid: `camvid_dir` has 701_StillsRaw_full/NAME.png, LabeledApproved_full/NAME_L.png and SPLIT.txt.

    A line of SPLIT.txt is a name, or begins with the path of an image, as in SegNet's lists train.txt, val.txt and
    test.txt. The mean is that of ILSVRC unless given.
    """

    requires = ("camvid_dir", "split")
    accepts = ()
    own_mean = ILSVRC_MEAN

    def prepare(self) -> None:
        colours = {colour: cls for cls, parts in enumerate(CLASSES.values()) for colour in parts.values()}
        self.colours = labels.ColourMap({**colours, VOID_COLOUR: labels.VOID})
        self.label_map = self.map_labels(labels.from_zero(len(CLASSES)), len(CLASSES))

    def split_file(self) -> str:
        return self.folder("camvid_dir", f"{self.split}.txt")

    def names(self) -> list[str]:
        paths = (line.split()[0] for line in splits.read_names(self.split_file(), self.who))
        return [os.path.splitext(os.path.basename(path))[0] for path in paths]

    def image_file(self, name: str) -> str:
        return files.find_image(self.folder("camvid_dir", "701_StillsRaw_full", name))

    def label_file(self, name: str) -> str:
        return self.folder("camvid_dir", "LabeledApproved_full", f"{name}_L.png")

    def read_label(self, path: str) -> np.ndarray:
        return self.colours(files.read_image(path, self.upright), path)
