"""Shapes as pixels: those whose centres lie inside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

LONGEST_NUMBER = 7
"""Characters that a number of compressed run lengths has at most: five bits each, for at most 2^31 pixels."""


class Region(NamedTuple):
    """Pixels of an image: those of `mask`, height×width, bool, whose corner lies at `top` and `left`."""

    top: int
    left: int
    mask: np.ndarray

    def fill(self, label: np.ndarray, value: int) -> None:
        """Give the region's pixels of a label, height×width, a value."""
        height, width = self.mask.shape
        label[self.top : self.top + height, self.left : self.left + width][self.mask] = value


def polygon(points: np.ndarray, width: int, height: int) -> Region:
    """The inside of a closed polygon, n×2, that lies in an image; where it crosses itself, by the even-odd rule."""
    left, top = np.clip(np.floor(points.min(0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(0)), 0, (width, height)).astype(int)
    crossings = np.zeros((bottom - top, right - left + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0)):
        (x0, y0), (x1, y1) = ((x0, y0), (x1, y1)) if y0 <= y1 else ((x1, y1), (x0, y0))
        first, last = (int(np.clip(np.ceil(y - 0.5), top, bottom)) for y in (y0, y1))
        if first < last:
            rows = np.arange(first, last)
            x = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            crossings[rows - top, np.clip(np.ceil(x - 0.5), left, right).astype(int) - left] ^= 1
    return Region(top, left, np.bitwise_xor.accumulate(crossings, axis=1)[:, :-1].astype(bool))


def rectangle(corners: np.ndarray, width: int, height: int) -> Region:
    """What lies between two opposite corners, 2×2."""
    (x0, y0), (x1, y1) = corners
    return polygon(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), width, height)


def circle(centre: np.ndarray, edge: np.ndarray, width: int, height: int) -> Region:
    """The inside of a circle in an image by its centre and a point on it, arrays (x, y) both."""
    radius = float(np.hypot(*(edge - centre)))
    left, top = np.clip(np.floor(centre - radius), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(centre + radius), 0, (width, height)).astype(int)
    y, x = np.ogrid[top:bottom, left:right]
    return Region(top, left, (x + 0.5 - centre[0]) ** 2 + (y + 0.5 - centre[1]) ** 2 <= radius**2)


def run_lengths(counts: Any, width: int, height: int, where: str) -> Region:
    """COCO's run lengths: pixels outside and inside in turn, column by column. As a list, or compressed in a string.

    Raises ValueError unless they come to the image's pixels.
    """
    lengths = _decompressed(counts, width * height, where) if isinstance(counts, str) else counts
    try:
        runs = np.array(lengths if isinstance(lengths, list) else [[]], np.int64)
    except (TypeError, ValueError, OverflowError):
        runs = np.zeros((0, 0), np.int64)
    if runs.ndim != 1 or (runs.size and (runs.min() < 0 or runs.max() > width * height)):
        raise ValueError(f"{where}: the run lengths are no numbers of pixels. Export it again.")
    if runs.sum() != width * height:
        raise ValueError(
            f"{where}: the run lengths come to {runs.sum()} pixels, expected the image's {width}×{height}. Is it the "
            "annotation of another version of the image?"
        )
    inside = np.arange(len(runs)) % 2 == 1
    return Region(0, 0, np.repeat(inside, runs).reshape(width, height).T)


def _decompressed(counts: str, most: int, where: str) -> list[int]:
    """Numbers of five bits a character, lowest first, a sixth saying that more follow; from the fourth on, differences
    to the number two before."""
    lengths: list[int] = []
    number, shift = 0, 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift >= 5 * LONGEST_NUMBER or len(lengths) > most:
            raise ValueError(f"{where}: {counts[:40]!r} are no compressed run lengths of COCO. Export it again.")
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                number -= 1 << shift
            lengths.append(number + lengths[-2] if len(lengths) > 2 else number)
            number, shift = 0, 0
    if shift:
        raise ValueError(f"{where}: the compressed run lengths end in the midst of a number. Export it again.")
    return lengths
