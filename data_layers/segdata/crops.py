"""Squares cut out of images and their labels."""

from __future__ import annotations

import numpy as np

from fcn_caffe.data_layers.segdata.augment import filled

MOST = 1 << 14
"""Pixels that the side of a crop may have."""


def cut(values: np.ndarray, side: int, place: tuple[float, float]) -> np.ndarray:
    """channels×side×side of channels×height×width.

    place: how far down and to the right, from 0 to just below 1, as shares of the room there is. What is missing on the
    right and below is filled up (`augment.filled`).
    """
    _, height, width = values.shape
    top, left = (int(share * (max(size - side, 0) + 1)) for share, size in zip(place, (height, width)))
    return filled(values[:, top : top + side, left : left + side], side, side)


def on_square(values: np.ndarray, side: int) -> np.ndarray:
    """channels×side×side: channels×height×width, filled up as `cut` does. Raises ValueError for what is larger."""
    _, height, width = values.shape
    if max(height, width) > side:
        raise ValueError(
            f"it is {width}×{height} pixels, more than the square of {side}. Scale it down, or correct param_str."
        )
    return cut(values, side, (0, 0))
