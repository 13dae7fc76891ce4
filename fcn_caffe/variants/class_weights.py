"""Weights of the classes in the loss of a task of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from caffe.proto import caffe_pb2

AUTO = "auto"
MOST = 10.0
"""What the weight of a rare class may come to, where it is computed."""


def of(words: Sequence[str], pixels: np.ndarray) -> np.ndarray:
    """A weight for each class: the numbers in the words, one for each class, or, for "auto", the median of the classes'
    frequencies over that of the class, at most 10.

    pixels: how many each class has in the labels; of shape (classes,), as the result. Raises ValueError for other
    words, and for weights that are not positive numbers.
    """
    if list(words) == [AUTO]:
        shown = pixels[pixels > 0]
        return np.minimum(np.median(shown) / np.maximum(pixels, 1), MOST) if len(shown) else np.ones(len(pixels))
    try:
        weights = np.array(words, np.float64)
    except ValueError:
        weights = np.zeros(0)
    if weights.shape != pixels.shape or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(
            f"--class-weights {' '.join(words)}: expected auto, or a number of 0 or more for each of the {len(pixels)} "
            "classes, in their order."
            " Correct them."
        )
    return weights


def write(weights: np.ndarray, path: Path) -> None:
    """Write them as the matrix that InfogainLoss reads: on the diagonal of 1×1×classes×classes."""
    blob = caffe_pb2.BlobProto(num=1, channels=1, height=len(weights), width=len(weights))
    blob.data.extend(np.diag(weights).ravel().tolist())
    path.write_bytes(blob.SerializeToString())
