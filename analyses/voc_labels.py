"""The official labels of PASCAL VOC, which two analyses need without the images: a folder in VOC's layout."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fcn_caffe.data_layers.segdata import files, splits
from fcn_caffe.progress import progress

FOLDER = Path("data/voc-labels")
CLASSES = 21
VOID = 255


def labels(folder: Path, split: str, step: int = 1) -> Iterator[np.ndarray]:
    """Every `step`-th label map of a split, uint8, height×width: classes 0 to 20, void 255.

    Raises FileNotFoundError, with the lists that there are, if the split's list is missing.
    """
    names = splits.read_names(os.path.join(folder, "ImageSets", "Segmentation", f"{split}.txt"), split)[::step]
    with progress(split, "labels", len(names)) as advance:
        for name in names:
            yield files.read_label(os.path.join(folder, "SegmentationClass", f"{name}.png"))
            advance()
