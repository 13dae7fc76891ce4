"""scored.json beside the snapshots of a training: the newest scoring, its confusion matrix and every image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from fcn_caffe.scoring import metrics
from fcn_caffe.whole_files import read_json, write_json

FILE = "scored.json"


class ImageScore(NamedTuple):
    """One image: its name, pixel accuracy, mean IU over the classes that it shows or that are predicted (None for an
    image without a pixel that counts), and the classes that it truly shows."""

    name: str
    pixel_accuracy: Optional[float]
    mean_iu: Optional[float]
    classes: list[int]


@dataclass
class Detail:
    """A scoring on the labels of one blob.

    confusion: pixels, true class × predicted class. images: in the order of the data set.
    """

    confusion: np.ndarray
    images: list[ImageScore] = field(default_factory=list)


class Details:
    """Takes the confusion matrix of one image after another, of every blob of labels."""

    def __init__(self) -> None:
        self.found: dict[str, Detail] = {}

    def __call__(self, label: str, name: str, hist: np.ndarray) -> None:
        """hist: of the image `name` on the labels of blob `label`."""
        detail = self.found.setdefault(label, Detail(np.zeros_like(hist)))
        detail.confusion += hist
        scores = metrics.scores(hist).as_dict()
        shown = np.flatnonzero(hist.sum(1)).tolist()
        detail.images.append(ImageScore(name, scores["pixel_accuracy"], scores["mean_iu"], shown))


def write(folder: Path, iteration: int, details: dict[str, Detail]) -> None:
    """iteration: at which the net was scored."""
    heads = {
        label: {"confusion": detail.confusion.tolist(), "images": [list(image) for image in detail.images]}
        for label, detail in details.items()
    }
    write_json(folder / FILE, {"iteration": iteration, "labels": heads})


def read(folder: Path, iteration: int) -> Optional[dict[str, Detail]]:
    """The scoring at an iteration by the blobs of labels; None if there is none, or it is of another iteration. Raises
    ValueError for a damaged file."""
    path = folder / FILE
    if not path.is_file():
        return None
    values = read_json(path)
    try:
        if values["iteration"] != iteration:
            return None
        return {label: _detail(each) for label, each in values["labels"].items()}
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"'{path}' holds no scoring: it was cut off or edited. Remove it: `fcn report` scores again."
        ) from error


def _detail(values: dict[str, Any]) -> Detail:
    confusion = np.array(values["confusion"], np.int64)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError("no square matrix")
    images = [ImageScore(str(name), accuracy, iu, list(shown)) for name, accuracy, iu, shown in values["images"]]
    return Detail(confusion, images)
