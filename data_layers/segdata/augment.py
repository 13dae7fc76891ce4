"""Augmentation: training images and their labels at other sizes and in other colours; batches of several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

RESAMPLING: Any = getattr(Image, "Resampling", Image)
SMALLEST, LARGEST = 0.1, 10.0
"""The smallest and the largest factor by which images may be scaled."""
BRIGHTER = 128
"""The largest change of brightness, of values in 0–255."""
DRAWN = 4
"""Numbers from 0 to 1 that decide: the size, brightness, contrast, saturation."""


def factor(limits: Sequence[float], chance: float) -> float:
    """The factor between two limits that a number from 0 to 1 stands for; halving is as likely as doubling."""
    least, most = limits
    return float(least * (most / least) ** chance)


def scaled(values: np.ndarray, by: float) -> np.ndarray:
    """channels×height×width at another size: whole numbers by the nearest pixel, others bilinearly."""
    height, width = (max(1, int(round(side * by))) for side in values.shape[1:])
    whole = values.dtype.kind in "iu"
    kind, resample = (np.int32, RESAMPLING.NEAREST) if whole else (np.float32, RESAMPLING.BILINEAR)
    made = [np.asarray(Image.fromarray(np.asarray(each, kind)).resize((width, height), resample)) for each in values]
    return np.stack(made).astype(values.dtype)


def coloured(data: np.ndarray, strength: float, chances: Sequence[float]) -> np.ndarray:
    """An image, 3×height×width, of other brightness, contrast and saturation, in this order.

    strength: 0 to 1, how much they change at most. chances: three numbers from 0 to 1, of which 0.5 changes nothing.
    """
    brightness, contrast, saturation = (strength * (2 * chance - 1) for chance in chances)
    middle = data.mean(dtype=np.float64)
    changed = middle + (1 + contrast) * (data - middle) + BRIGHTER * brightness
    gray = changed.mean(0, keepdims=True)
    return (gray + (1 + saturation) * (changed - gray)).astype(data.dtype)


def stacked(images: Sequence[np.ndarray]) -> np.ndarray:
    """N×channels×height×width of several images: smaller ones are filled up (`filled`)."""
    height, width = (max(values.shape[axis] for values in images) for axis in (1, 2))
    return np.stack([filled(values, height, width) for values in images])


def filled(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """channels×height×width of a smaller one: what is missing on the right and below is void where the values are whole
    numbers (the largest that their type has), else 0, which is the mean."""
    short = height - values.shape[1], width - values.shape[2]
    if not any(short):
        return values
    void = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 0
    return np.pad(values, ((0, 0), (0, short[0]), (0, short[1])), mode="constant", constant_values=void)
