"""Code that py-faster-rcnn's training layers share: overlaps in pixels, the shifts between boxes, and random
choices.
"""

from typing import Any

import numpy as np

from caffe.data.random import Random, new_seed
from caffe.errors import NetError


def pixel_overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, m): shared area over the union, of boxes (n, 4) and (m, 4) that are x2 − x1 + 1 pixels wide."""
    sides = np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - np.maximum(boxes[:, None, :2], others[None, :, :2])
    shared = np.prod((sides + 1).clip(min=0), axis=2)
    areas = [np.prod(each[:, 2:] - each[:, :2] + 1, axis=1) for each in (boxes, others)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


def moves(boxes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(n, 4): dx, dy, dw, dh that move boxes to the wanted ones, as `caffe.forks.regions.shifted` moves them."""
    sizes, others = (each[:, 2:4] - each[:, :2] + 1 for each in (boxes, wanted))
    centres = (wanted[:, :2] + others / 2) - (boxes[:, :2] + sizes / 2)
    return np.concatenate([centres / sizes, np.log(others / sizes)], axis=1)


class Draws:
    """Choices at random, from a stream that `caffe.set_random_seed` starts."""

    def __init__(self) -> None:
        self._random = Random(new_seed())

    def some(self, numbers: np.ndarray, count: int) -> np.ndarray:
        """At most so many of the numbers, each equally likely, in their order."""
        if len(numbers) <= count:
            return numbers
        order = list(range(len(numbers)))
        self._random.shuffle(order)
        return numbers[np.sort(order[:count])]

    def shuffled(self, count: int) -> list[int]:
        """0 … count − 1 in random order."""
        order = list(range(count))
        self._random.shuffle(order)
        return order


def read(given: dict[str, Any], defaults: dict[str, Any], owner: str) -> dict[str, Any]:
    """Settings with what is not given; NetError for others."""
    if unknown := [name for name in given if name not in defaults]:
        raise NetError(f"{owner}: param_str has {', '.join(unknown)}; known are {', '.join(defaults)}. Correct it.")
    return defaults | given


def put(top: Any, values: np.ndarray) -> None:
    """Give a top the shape and the numbers of an array."""
    top.reshape(*values.shape)
    if values.size:
        top.data[...] = values


def true_boxes(bottom: Any, owner: str) -> np.ndarray:
    """(G, 5) x1, y1, x2, y2, class; NetError without a box."""
    boxes = bottom.data.reshape(-1, 5)
    if not len(boxes):
        raise NetError(f"{owner}: an image has no true box. Leave such images out, as py-faster-rcnn's script does.")
    return boxes
