"""What the animals lie on. Every ground is a float array height×width×3, RGB in 0–255."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from fcn_caffe.demo.tidepool import noise

RGB = tuple[float, float, float]


def draw(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A ground, float height×width×3 in 0–255: one kind, or two that meet along a soft, wavy line."""
    first, second = rng.choice(len(GROUNDS), 2, replace=False)
    ground = GROUNDS[first](rng, height, width)
    if rng.random() < 0.4:
        other = GROUNDS[second](rng, height, width)
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:height, 0:width]
        line = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)
        line = line + 40 * (noise.smooth(rng, height, width, 24) - 0.5)
        ground = _mix(ground, other, 1 / (1 + np.exp(-np.clip(line / 3, -30, 30))))
    light = 0.82 + 0.36 * noise.smooth(rng, height, width, 90)
    return ground * light[:, :, None]


def _mix(one: np.ndarray | RGB, other: np.ndarray | RGB, share: np.ndarray) -> np.ndarray:
    share = share[:, :, None]
    return np.asarray(one) * (1 - share) + np.asarray(other) * share


def _sand(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    angle = rng.uniform(-0.5, 0.5)
    phase = (y * np.cos(angle) + x * np.sin(angle)) / rng.uniform(1.4, 2.2) + 9 * noise.smooth(rng, height, width, 30)
    ripples = np.sin(phase) * rng.uniform(0.0, 0.12)
    grain = rng.normal(0, 0.09, (height, width))
    tone = 0.5 + ripples + grain + 0.5 * (noise.octaves(rng, height, width, 40) - 0.5)
    return _mix((176, 146, 104), (240, 222, 186), np.clip(tone, 0, 1))


def _water(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    deep = _mix((16, 78, 104), (56, 150, 166), np.clip(noise.octaves(rng, height, width, 48), 0, 1))
    light = noise.ridges(rng, height, width, 16, 7) + 0.6 * noise.ridges(rng, height, width, 9, 9)
    return _mix(deep, (196, 236, 232), np.clip(0.65 * light, 0, 1))


def _rock(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    tone = noise.octaves(rng, height, width, 28, 5) + rng.normal(0, 0.04, (height, width))
    stone = _mix((44, 42, 46), (150, 142, 134), np.clip(1.6 * tone - 0.3, 0, 1))
    cracks = noise.ridges(rng, height, width, 34, 24)
    return stone * (1 - 0.7 * cracks[:, :, None])


def _pebbles(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    size = rng.uniform(9, 16)
    rows, columns = int(height / size) + 3, int(width / size) + 3
    cells = np.moveaxis(np.mgrid[0:rows, 0:columns], 0, -1).reshape(-1, 2)
    centres = (cells - 1 + rng.uniform(-0.1, 1.1, (rows * columns, 2))) * size
    pixels = np.moveaxis(np.mgrid[0:height, 0:width], 0, -1).reshape(-1, 2)
    distance, nearest = cKDTree(centres).query(pixels, k=2)
    tones = _mix((92, 84, 80), (206, 194, 180), rng.random((1, len(centres))))[0]
    tones = tones + rng.normal(0, 9, tones.shape)
    gap = np.clip((distance[:, 1] - distance[:, 0]) / (0.35 * size), 0, 1) ** 0.6
    offset = (pixels - centres[nearest[:, 0]]) / size
    shine = 1 - 0.35 * (offset[:, 0] + offset[:, 1])
    stones = tones[nearest[:, 0]] * (0.28 + 0.72 * gap * shine)[:, None]
    return stones.reshape(height, width, 3) * (1 + rng.normal(0, 0.05, (height, width, 1)))


GROUNDS = (_sand, _water, _rock, _pebbles)
