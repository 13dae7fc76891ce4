"""Scores that were saved (NAME.npy), with the images and labels that they are of."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from fcn_caffe.data_layers.segdata import files, pairs, text
from fcn_caffe.data_layers.segdata.labels import VOID


class SavedItem(NamedTuple):
    """Files of one image."""

    name: str
    scores: Path
    image: str
    label: Optional[str]


class ScoredImage(NamedTuple):
    """Scores (classes×height×width), an RGB image (height×width×3) and its true label (height×width)."""

    scores: np.ndarray
    image: np.ndarray
    truth: Optional[np.ndarray]


def find(given: list[Path], images: str, labels: str | None) -> list[SavedItem]:
    """Every file of scores, with its image and its label. Raises FileNotFoundError for what is missing."""
    found = [file for path in given for file in (sorted(path.glob("*.npy")) if path.is_dir() else [path])]
    if not found:
        raise FileNotFoundError(
            f"'{given[0]}' has no scores (NAME.npy). Write some: fcn infer NET IMAGES --scores --out {given[0]}"
        )
    by_name = pairs.by_stem(images, "images")
    truths = pairs.by_stem(labels, "labels") if labels else None
    names = [text.composed(file.stem) for file in found]
    for name, file in zip(names, found):
        for what, folder, there in (("image", images, by_name), ("label", labels, truths)):
            if there is not None and name not in there:
                raise FileNotFoundError(
                    f"'{file}' has no {what} in '{folder}', expected one called {name}."
                    " Put it there, or name another folder."
                )
    return [SavedItem(name, file, by_name[name], truths[name] if truths else None) for name, file in zip(names, found)]


def read(item: SavedItem, upright: bool) -> ScoredImage:
    """The files of one image. Raises ValueError where they do not fit."""
    scores = load(item.scores)
    image = files.read_image(item.image, upright)
    truth = files.read_label(item.label, upright) if item.label else None
    for path, array in ((item.image, image), (item.label, truth)):
        if array is not None and array.shape[:2] != scores.shape[1:]:
            size = f"{array.shape[1]}×{array.shape[0]}"
            raise ValueError(
                f"'{path}' is {size}, the scores in '{item.scores}' are {scores.shape[2]}×{scores.shape[1]}: expected "
                "one size."
                " Name the images that the scores are of."
            )
    unknown = [] if truth is None else [cls for cls in np.unique(truth).tolist() if len(scores) <= cls != VOID]
    if unknown:
        raise ValueError(
            f"'{item.label}' has the class {unknown[0]}, expected those of the scores, 0 to {len(scores) - 1}, or "
            f"{VOID} (void). Name the labels that the net was trained on."
        )
    return ScoredImage(scores, image, truth)


def load(file: Path) -> np.ndarray:
    """The scores in a file, classes×height×width. Raises ValueError for what are none, or not all finite."""
    try:
        scores = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"'{file}' holds no array ({error}), expected scores of fcn infer. Save them again with fcn infer --scores."
        ) from error
    if scores.ndim != 3 or scores.dtype.kind != "f":
        raise ValueError(
            f"'{file}' holds {scores.dtype} of shape {scores.shape}, expected classes×height×width."
            " Save them again with fcn infer --scores."
        )
    if len(scores) > VOID:
        raise ValueError(
            f"'{file}' has {len(scores)} classes, expected at most {VOID}: a label is one byte, and {VOID} is void."
            " Leave some out."
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"'{file}' has {int((~np.isfinite(scores)).sum())} values that are no finite numbers, expected none: a CRF "
            "carries them to every pixel. Find out which layer of the net makes them."
        )
    return scores
