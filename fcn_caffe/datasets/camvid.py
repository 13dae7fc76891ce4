"""CamVid as SegNet's authors pass it on, in PASCAL VOC's layout.

Theirs: {train,val,test}/NAME.png and {train,val,test}annot/NAME.png, 480×360, 11 classes from 0 and 11 for void.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.datasets import git_tree
from fcn_caffe.pictures import drawing
from fcn_caffe.progress import progress

CLASSES = (*("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"),)
SPLITS = ("train", "val", "test")
TREE = "58c604d6ff4ae2239e7d39f2da2bb3ec1a83fa87"
"""What git calls the folder CamVid of the repository's commit."""


def convert(segnet: Path, out: Path, tree: str = TREE) -> None:
    """Write JPEGImages, SegmentationClass, ImageSets/Segmentation and classes.txt into `out`.

    segnet: the folder CamVid, whose contents must be `tree`. Raises ValueError if they are not, or a label has another
    value.
    """
    found = git_tree.tree(segnet)
    if found != tree:
        raise ValueError(f"the folder CamVid has contents {found} (git tree), expected {tree}. Fetch it again.")
    images, labels, lists = (out / name for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"))
    for folder in (images, labels, lists):
        folder.mkdir(parents=True)
    names = {split: sorted(path.stem for path in (segnet / split).glob("*.png")) for split in SPLITS}
    with progress("converting", "images", sum(map(len, names.values()))) as advance:
        for split in SPLITS:
            for name in names[split]:
                label = files.read_label(str(segnet / f"{split}annot" / f"{name}.png"))
                if label.max() > len(CLASSES):
                    raise ValueError(
                        f"label {name} of {split} has the value {label.max()}, expected 0..{len(CLASSES)}."
                        " Fetch the data set again."
                    )
                drawing.save_labels(np.where(label == len(CLASSES), VOID, label), labels / f"{name}.png")
                shutil.copyfile(segnet / split / f"{name}.png", images / f"{name}.png")
                advance()
            (lists / f"{split}.txt").write_text("\n".join(names[split]) + "\n")
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")
