"""Boxes (xmin, ymin, xmax, ymax) as NumPy arrays: how large they are, and what they share."""

import numpy as np


def areas(boxes: np.ndarray, *, extra: int = 0) -> np.ndarray:
    """Of boxes (…, 4); 0 where a side is negative. extra: 1 where sides count pixels, first and last."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return np.where((sides < 0).any(axis=-1), 0, np.prod(sides + extra, axis=-1))


def intersections(boxes: np.ndarray, others: np.ndarray, *, extra: int = 0) -> np.ndarray:
    """The area that boxes (…, 4) share with others, as they broadcast; boxes that are apart share none."""
    sides = np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(boxes[..., :2], others[..., :2])
    return np.where((sides < 0).any(axis=-1), 0, np.prod(np.maximum(sides, 0) + extra, axis=-1))


def overlaps(boxes: np.ndarray, others: np.ndarray, *, extra: int = 0) -> np.ndarray:
    """The intersections as shares of the unions (Jaccard); boxes (…, 4) and others broadcast."""
    with np.errstate(invalid="ignore"):  # boxes without an end share nothing
        shared = intersections(boxes, others, extra=extra)
        union = areas(boxes, extra=extra) + areas(others, extra=extra) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=(shared > 0) & (union > 0))
