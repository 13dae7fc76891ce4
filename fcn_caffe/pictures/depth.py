"""Depth as pictures: millimetres in 16 bits, as in NYUDv2's files, and a picture to look at."""

from __future__ import annotations

import numpy as np
from PIL import Image

LOGARITHMS = (-6.9, 4.18)
"""Of metres: what 16 bits of millimetres hold, from 1 mm to 65 m."""


def millimetres(metres: np.ndarray) -> Image.Image:
    """Depth, height×width, in millimetres, 16 bits."""
    return Image.fromarray(np.clip(np.round(1000 * metres), 1, 65535).astype(np.uint16))


def picture(metres: np.ndarray) -> Image.Image:
    """Depth, height×width, as gray values: the nearest white, the farthest black, equal ratios as far apart."""
    logarithm = np.log(metres)
    span = logarithm.max() - logarithm.min()
    share = (logarithm.max() - logarithm) / span if span > 0 else np.ones_like(logarithm)
    return Image.fromarray(np.round(255 * share).astype(np.uint8))
