"""Which predicted boxes are matched with which true ones, and which of the others are hard: for MultiBoxLoss."""

from collections.abc import Sequence

import numpy as np

from caffe.data.boxes import areas, overlaps

LEAST_OVERLAP = 1e-6
SMALLEST_AREA = 1e-5
"""Of a box that a suppression keeps."""
FREE, IGNORED = -1, -2
"""A box that is matched with none, and one that takes no part."""


def matched(
    boxes: np.ndarray, truth: np.ndarray, threshold: float | None, *, ignore_outside: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) the number of the true box of each box, FREE or IGNORED; and (P,) the largest overlap of each with any.

    boxes: (P, 4); truth: (G, 4)
    threshold: how much a box must overlap its best true one, after each true box has got the box that overlaps it most;
        None: no other is matched
    ignore_outside: boxes that lie partly outside the image take no part
    """
    found = np.full(len(boxes), FREE)
    if not len(truth):
        return found, np.zeros(len(boxes), np.float32)
    shares = overlaps(boxes[:, None], truth[None])
    shares[shares <= LEAST_OVERLAP] = 0
    if ignore_outside:
        outside = ((boxes < 0) | (boxes > 1)).any(axis=1)
        found[outside], shares[outside] = IGNORED, 0
    left = shares.copy()
    for _ in range(len(truth)):
        box, true = np.unravel_index(left.argmax(), left.shape)
        if left[box, true] <= 0:
            break
        found[box] = true
        left[box], left[:, true] = 0, 0
    most = shares.max(axis=1)
    if threshold is not None:
        near = (found == FREE) & (most > 0) & (most >= np.float32(threshold))
        found[near] = shares[near].argmax(axis=1)
    return found, most


def hardest(losses: np.ndarray, eligible: np.ndarray, count: int) -> np.ndarray:
    """The numbers of the `count` eligible boxes with the largest losses, the first of equals first."""
    among = np.flatnonzero(eligible)
    return among[np.argsort(-losses[among], kind="stable")[:count]]


def hardest_apart(
    losses: np.ndarray, eligible: np.ndarray, count: int, boxes: np.ndarray, threshold: float, top_k: int
) -> np.ndarray:
    """As `hardest`, of the first top_k (−1: all), less those that a harder one overlaps by more than the threshold."""
    order = hardest(losses, eligible, top_k if top_k > -1 else len(losses))
    order = order[areas(boxes[order]) >= SMALLEST_AREA]
    kept: list[int] = []
    while len(order) and len(kept) < count:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[overlaps(boxes[best], boxes[order]) <= threshold]
    return np.array(kept, np.int64)


def by_image(truth: np.ndarray, count: int) -> Sequence[np.ndarray]:
    """Rows (G, 8) of all images of a batch, by image; rows of image −1 are of none."""
    images = truth[:, 0].astype(np.int64)
    return [truth[images == image] for image in range(count)]
