"""StreamedValue: a map that is computed band by band, from the top row down, and freed in the same order."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import torch

MOST_UNUSED = 2
"""The remaining rows of a band are copied, and the band is freed, once they are at most 1 / MOST_UNUSED of it."""


class Rowwise(Protocol):
    """What a reader of rows asks of a map that is computed band by band; StreamedValue explains it."""

    shape: tuple[int, ...]
    has_rows: bool
    height: int
    band: int
    device: torch.device

    @property
    def row_size(self) -> int: ...

    def add_taker(self, first_needed: Callable[[], int]) -> None: ...

    def add_follower(self, follow: Callable[[], None]) -> None: ...

    def has(self, last: int) -> bool: ...

    def compute_to(self, last: int) -> None: ...

    def take(self, first: int, last: int) -> torch.Tensor: ...

    def give_up(self) -> None: ...


class StreamedValue:
    """The rows of a map (N, C, H, W) that are computed and still needed; a value of another shape is one row."""

    def __init__(self, shape: tuple[int, ...], advance: Callable[[], None], where: torch.device):
        """advance: computes the next band and calls `put` with it. where: the device of the bands."""
        self.shape = shape
        self.has_rows = len(shape) == 4
        self.height = shape[2] if self.has_rows else 1
        self.band = self.height
        """Rows of each band that `advance` puts."""
        self.end = 0
        """Rows computed so far."""
        self._advance, self.device = advance, where
        self._takers: list[Callable[[], int]] = []
        self._followers: list[Callable[[], None]] = []
        self._bands: deque[tuple[int, torch.Tensor]] = deque()

    @property
    def row_size(self) -> int:
        """Bytes of a row (float32)."""
        count = 4
        for axis, size in enumerate(self.shape):
            count *= 1 if self.has_rows and axis == 2 else size
        return count

    def add_taker(self, first_needed: Callable[[], int]) -> None:
        """Register a reader of rows; first_needed() is the first row that it still needs."""
        self._takers.append(first_needed)

    def add_follower(self, follow: Callable[[], None]) -> None:
        """Call this after each band."""
        self._followers.append(follow)

    def has(self, last: int) -> bool:
        """Whether rows 0 … last − 1 are computed."""
        return last <= self.end

    def compute_to(self, last: int) -> None:
        """Compute bands until rows 0 … last − 1 are there."""
        while self.end < last:
            self._advance()

    def put(self, band: torch.Tensor) -> None:
        """Append the next band of rows, N × C × rows × W."""
        first, self.end = self.end, self.end + (band.shape[2] if self.has_rows else 1)
        if any(taker() < self.end for taker in self._takers):
            self._bands.append((first, band))
        del band
        for follow in self._followers:
            follow()

    def take(self, first: int, last: int) -> torch.Tensor:
        """Rows first … last − 1, N × C × rows × W, which must be computed and not yet freed; only to be read."""
        if not self.has_rows:
            return self._bands[0][1]
        parts = []
        for begin, band in self._bands:
            low, high = max(first, begin), min(last, begin + band.shape[2])
            if low < high:
                whole = high - low == band.shape[2]
                parts.append(band if whole else band.narrow(2, low - begin, high - low))
        if not parts:
            n, channels, _, width = self.shape
            return torch.empty((n, channels, 0, width), dtype=torch.float32, device=self.device)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)

    def give_up(self) -> None:
        """Free the rows that no reader needs any more."""
        needed = min(taker() for taker in self._takers)
        while self._bands and self._bands[0][0] + (self._bands[0][1].shape[2] if self.has_rows else 1) <= needed:
            self._bands.popleft()
        if self.has_rows and self._bands and self._bands[0][0] < needed:
            begin, band = self._bands[0]
            left = begin + band.shape[2] - needed
            if left * MOST_UNUSED <= band.shape[2]:
                self._bands[0] = needed, band.narrow(2, band.shape[2] - left, left).clone()
