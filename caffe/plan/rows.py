"""Bands of rows of a map; the rows of a band may lie beyond the ends of the map."""

from collections.abc import Iterator

import torch


def bands(rows: int, height: int) -> Iterator[tuple[int, int]]:
    """(first, last) of each band of at most `height` rows; `last` is the next one's `first`."""
    for first in range(0, rows, height):
        yield first, min(first + height, rows)


def inside(x: torch.Tensor, first: int, last: int) -> tuple[torch.Tensor, int, int]:
    """Those of rows first … last − 1 that a map (N, C, H, W) has, and how many are missing above and below them."""
    found = x[:, :, max(first, 0) : max(last, 0)]
    above = min(max(-first, 0), last - first)
    return found, above, last - first - above - found.shape[2]
