"""Rows and columns of a short map (caffe/blob/short_map.py) that are repeated, a band of rows at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from caffe import device
from caffe.blob.short_map import Shorts, Stretches, repeated, stretches
from caffe.plan.streaming.values import StreamedValue


@dataclass(frozen=True)
class Lengthened:
    """Rows and columns of a short map that are repeated: for each of the longer map, which one of the short map."""

    rows: Sequence[int]
    columns: torch.Tensor
    stretches: Stretches
    """Of the columns."""

    @classmethod
    def of(cls, whole: Sequence[int], now: Shorts, wanted: Shorts | None) -> "Lengthened":
        """What makes of a map that lacks `now` one that lacks `wanted`, or nothing; whole: the whole map's shape."""
        rows, columns = (stretches(*axis) for axis in zip(whole[2:], now, wanted or (None, None), strict=True))
        return cls(repeated(rows), torch.tensor(repeated(columns), device=device.current()), columns)

    def forward(self, x: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Rows first … last − 1 of the longer map, from those of the short map that they repeat."""
        if last - first > x.shape[2]:
            x = x.index_select(2, self._of(first, last))
        if len(self.columns) == x.shape[3]:
            return x
        pieces = (x.narrow(3, begin, short).expand(-1, -1, -1, long) for begin, short, long in self.stretches)
        return torch.cat(list(pieces), dim=3)

    def backward(self, grad: torch.Tensor, first: int, last: int, width: int) -> torch.Tensor:
        """The gradient of `forward`'s x, whose width is this one."""
        wide = grad.new_zeros(*grad.shape[:3], width).index_add_(3, self.columns, grad)
        begin, end = self.taken(first, last)
        return grad.new_zeros(*grad.shape[:2], end - begin, width).index_add_(2, self._of(first, last), wide)

    def taken(self, first: int, last: int) -> tuple[int, int]:
        """First and last row (not included) of the short map that rows first … last − 1 repeat."""
        return self.rows[first], self.rows[last - 1] + 1

    def _of(self, first: int, last: int) -> torch.Tensor:
        return torch.tensor(self.rows[first:last], device=self.columns.device) - self.rows[first]


class LongerValue:
    """A short map that is computed band by band, seen as the longer one; what a reader of rows asks of it."""

    def __init__(self, short: StreamedValue, lengthened: Lengthened):
        self._short, self._lengthened, self.has_rows = short, lengthened, True
        self.height = len(lengthened.rows)
        self.shape = (*short.shape[:2], self.height, len(lengthened.columns))
        self.band, self.device = short.band, short.device
        self._row_size = short.row_size * self.shape[3] // short.shape[3]

    @property
    def row_size(self) -> int:
        """Bytes of a row (float32)."""
        return self._row_size

    def add_taker(self, first_needed: Callable[[], int]) -> None:
        """Register a reader of rows; first_needed() is the first row that it still needs."""
        self._short.add_taker(lambda: self._short_row(first_needed()))

    def add_follower(self, follow: Callable[[], None]) -> None:
        """Call this after each band."""
        self._short.add_follower(follow)

    def has(self, last: int) -> bool:
        """Whether rows 0 … last − 1 are computed."""
        return last <= 0 or self._short.has(self._lengthened.rows[last - 1] + 1)

    def compute_to(self, last: int) -> None:
        """Compute bands until rows 0 … last − 1 are there."""
        if last > 0:
            self._short.compute_to(self._lengthened.rows[last - 1] + 1)

    def take(self, first: int, last: int) -> torch.Tensor:
        """Rows first … last − 1, N × C × rows × W, which must be computed and not yet freed; only to be read."""
        if first >= last:
            return torch.empty((*self.shape[:2], 0, self.shape[3]), dtype=torch.float32, device=self.device)
        return self._lengthened.forward(self._short.take(*self._lengthened.taken(first, last)), first, last)

    def give_up(self) -> None:
        """Free the rows that no reader needs any more."""
        self._short.give_up()

    def _short_row(self, row: int) -> int:
        return self._lengthened.rows[row] if row < self.height else self._short.height
