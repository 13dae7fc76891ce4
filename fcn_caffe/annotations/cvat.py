"""CVAT's export `Segmentation mask`: labelmap.txt, and a mask in the labels' colours for each image."""

from __future__ import annotations

import os

from fcn_caffe.annotations import coloured
from fcn_caffe.annotations.found import Annotations
from fcn_caffe.data_layers.segdata import classes, pairs
from fcn_caffe.data_layers.segdata.labels import VOID

LABELS, MASKS = "labelmap.txt", "SegmentationClass"


def is_one(folder: str) -> bool:
    """Whether a folder is such an export."""
    return os.path.isfile(os.path.join(folder, LABELS)) and os.path.isdir(os.path.join(folder, MASKS))


def read(folder: str) -> Annotations:
    """The masks of the folder. Raises ValueError for labels without colours, and masks in colours of no label."""
    listed = classes.read(os.path.join(folder, LABELS))
    if not listed.colours:
        raise ValueError(f"'{os.path.join(folder, LABELS)}' has labels without colours. Export it from CVAT again.")
    found = Annotations("CVAT's masks", ("class shown", "classes shown"), rest=False)
    for name, path in pairs.by_stem(os.path.join(folder, MASKS), "masks").items():
        coloured.add(found, path, (f"{name}.png",), listed.names, listed.colours)
    found.names = [name for name in listed.names if found.objects[name]]
    for colour, cls in reversed(list(listed.colours.items())):
        if cls != VOID:
            found.colours[listed.names[cls]] = colour
    return found
