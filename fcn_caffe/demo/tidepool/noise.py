"""Smooth random fields, the stuff that grounds and skins are made of."""

from __future__ import annotations

import numpy as np
from PIL import Image


def smooth(rng: np.random.Generator, height: int, width: int, cell: float) -> np.ndarray:
    """A height×width field with values around 0–1 that changes over about `cell` pixels."""
    rows, columns = int(height / cell) + 4, int(width / cell) + 4
    grid = Image.fromarray(rng.random((rows, columns), np.float32))
    window = (1.0, 1.0, 1.0 + width / cell, 1.0 + height / cell)
    return np.asarray(grid.resize((width, height), box=window))


def octaves(rng: np.random.Generator, height: int, width: int, cell: float, count: int = 3) -> np.ndarray:
    """The sum of smooth height×width fields of ever smaller cells and weights, with values around 0–1."""
    total = np.zeros((height, width), np.float32)
    for i in range(count):
        total += smooth(rng, height, width, cell / 2**i) / 2**i
    return total / (2 - 2.0 ** (1 - count))


def ridges(rng: np.random.Generator, height: int, width: int, cell: float, sharpness: float) -> np.ndarray:
    """A height×width field, 0–1, of thin bright lines like those that waves throw on the ground of shallow water."""
    field = np.abs(2 * smooth(rng, height, width, cell) - 1)
    return np.clip(1 - field, 0, 1) ** sharpness
