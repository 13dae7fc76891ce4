"""A tide pool: a ground with animals on it, and the label of every pixel."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from fcn_caffe.demo.tidepool import grounds
from fcn_caffe.demo.tidepool.creatures import CREATURES, Creature

FINE = 4
"""Outlines are drawn this many times larger and averaged down."""
VOID = 255


def scene(rng: np.random.Generator, height: int, width: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture, uint8 height×width×3, with about `count` animals, and its label, uint8 height×width.

    The label has 0 for the ground, 1–5 for the animals, and VOID where two of these meet.
    """
    picture = grounds.draw(rng, height, width)
    label = np.zeros((height, width), np.uint8)
    taken = np.zeros((0, 3))
    for _ in range(count):
        radius = rng.uniform(16, 38)
        for _ in range(12):
            y, x = rng.uniform(0.5 * radius, height - 0.5 * radius), rng.uniform(0.5 * radius, width - 0.5 * radius)
            if (np.hypot(taken[:, 0] - y, taken[:, 1] - x) > 0.85 * (taken[:, 2] + radius)).all():
                taken = np.concatenate([taken, [(y, x, radius)]])
                place(rng, picture, label, int(rng.integers(len(CREATURES))), (y, x), radius)
                break
    return finish(rng, picture), outlined(label)


def portrait(rng: np.random.Generator, size: int, kind: int | None) -> np.ndarray:
    """A size×size picture of one animal, somewhere around the middle; of the ground alone if there is no kind."""
    picture = grounds.draw(rng, size, size)
    if kind is not None:
        centre = rng.uniform(0.36 * size, 0.64 * size, 2)
        place(
            rng, picture, np.zeros((size, size), np.uint8), kind, (centre[0], centre[1]), rng.uniform(0.18, 0.45) * size
        )
    return finish(rng, picture)


def place(
    rng: np.random.Generator,
    picture: np.ndarray,
    label: np.ndarray,
    kind: int,
    centre: tuple[float, float],
    radius: float,
) -> None:
    """Paint a creature and its shadow on the picture, height×width×3, and its class, kind + 1, on the label."""
    creature = CREATURES[kind](rng)
    angle, flip = rng.uniform(-creature.turn, creature.turn), rng.choice([-1.0, 1.0])
    squeeze = rng.uniform(0.85, 1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([flip, squeeze])
    turn *= radius / max(np.hypot(*polygon.T).max() for polygon in creature.outline)
    half = int(np.ceil(radius)) + 5
    top, left = int(centre[0]) - half, int(centre[1]) - half
    corner = np.array([centre[1] - left, centre[0] - top])
    cover = _cover([polygon @ turn.T + corner for polygon in creature.outline], 2 * half)
    colours = _lit(creature, cover, np.linalg.inv(turn), corner)
    shadow = ndimage.gaussian_filter(ndimage.shift(cover, (2.5, 2.0), order=1), 2.0)

    inside = np.s_[max(0, top) : top + 2 * half, max(0, left) : left + 2 * half]
    rows, columns = picture[inside].shape[:2]
    own = np.s_[max(0, -top) : max(0, -top) + rows, max(0, -left) : max(0, -left) + columns]
    cover, shadow = cover[own][..., None], shadow[own][..., None]
    picture[inside] *= 1 - 0.45 * shadow * (1 - cover)
    picture[inside] += cover * (colours[own] - picture[inside])
    label[inside][cover[..., 0] > 0.5] = kind + 1


def outlined(label: np.ndarray) -> np.ndarray:
    """The label, height×width, with VOID on both sides of every border between classes."""
    border = ndimage.maximum_filter(label, 3) != ndimage.minimum_filter(label, 3)
    return np.where(border, np.uint8(VOID), label)


def finish(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The picture, height×width×3, as a camera takes it: exposure and a little noise, uint8."""
    exposed = picture * rng.uniform(0.88, 1.1) + rng.normal(0, 3.0, picture.shape)
    return np.clip(exposed, 0, 255).astype(np.uint8)


def _cover(polygons: list[np.ndarray], size: int) -> np.ndarray:
    """How much of each pixel the polygons cover, 0–1, size×size."""
    canvas = Image.new("L", (size * FINE, size * FINE))
    pen = ImageDraw.Draw(canvas)
    for polygon in polygons:
        pen.polygon([(x * FINE, y * FINE) for x, y in polygon.tolist()], fill=255)
    return np.asarray(canvas.reduce(FINE), dtype=np.float64) / 255


def _lit(creature: Creature, cover: np.ndarray, inverse: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The skin, lit from the upper left as if it bulged."""
    size = len(cover)
    y, x = np.mgrid[0:size, 0:size] + 0.5
    u, v = np.tensordot(inverse, np.stack([x - corner[0], y - corner[1]]), 1)
    height = np.sqrt(ndimage.distance_transform_edt(cover > 0.5))
    slope_y, slope_x = np.gradient(ndimage.gaussian_filter(height, 1.0))
    light = 1 + creature.depth * 0.55 * np.clip(slope_x + slope_y, -0.8, 0.8)
    return np.clip(creature.skin(u, v) * light[..., None], 0, 255)
