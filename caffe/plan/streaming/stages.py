"""Stage: a layer that computes its tops from its bottoms band by band."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from caffe.layer_types.base import Rows
from caffe.plan.streaming.values import Rowwise, StreamedValue

BAND = 2**23
"""Bytes; the largest band of any bottom or top, unless that were fewer than LEAST_ROWS rows."""
LEAST_ROWS = 4
"""Rows of a band, at least."""
LEAST_STEPS = 4
"""Steps (Rows.step) of a band, at least, where a step is more than a row."""
LESS = 2
"""A stage whose tops take less memory than its bottom by this factor does not wait until its tops are asked for."""
ALIGNED = 4
"""Rows that Winograd's convolutions compute together; bands are multiples of it."""

ComputeBand = Callable[[list[torch.Tensor], int, int], Sequence[torch.Tensor]]


class Stage:
    """A layer, with the in-place layers that follow it."""

    def __init__(
        self,
        bottoms: Sequence[Rowwise],
        shapes: Sequence[tuple[int, ...]],
        rows: Rows | None,
        compute: ComputeBand,
        where: torch.device,
    ):
        """shapes: of the tops. rows: which rows of the bottoms a band needs; None: all of them.

        compute(bands, first, last) returns rows first … last − 1 of the tops, and perhaps some around them.
        where: the device of the tops.
        """
        self._bottoms, self._rows, self._compute = bottoms, rows, compute
        self._in_place: list[tuple[int, ComputeBand]] = []
        self.tops = [StreamedValue(shape, self.advance, where) for shape in shapes]
        self._height = 1 if rows is None else self.tops[0].height
        self._done, self._computing = 0, False
        self.chunk = 1 if rows is None else self._chunk(rows)
        for top in self.tops:
            top.band = min(self.chunk, top.height) if rows is not None else top.height
        for index, bottom in enumerate(bottoms):
            bottom.add_taker(lambda index=index: self._first_needed(index))  # type: ignore[misc]
        if rows is not None and len(bottoms) == 1 and _size(self.tops) * LESS <= _size(bottoms):
            bottoms[0].add_follower(self._follow_bottom)

    def _chunk(self, rows: Rows) -> int:
        """The number of rows in a band of the tops."""
        sizes = [top.row_size for top in self.tops]
        sizes += [bottom.row_size * bottom.height // max(self._height, 1) for bottom in self._bottoms]
        step = rows.step
        most = max(BAND // max(*sizes, 1), LEAST_ROWS, LEAST_STEPS * step if step > 1 else 1)
        multiple = step if step > 1 else ALIGNED
        most -= most % multiple
        equal = -(-self._height // -(-self._height // most))
        return -(-equal // multiple) * multiple

    def _first_needed(self, index: int) -> int:
        bottom = self._bottoms[index]
        if self._done >= self._height:
            return bottom.height
        if self._rows is None:
            return 0
        taken = self._rows.taken(index, self._done, self._done + 1, bottom.height)
        return bottom.height if taken.shape_only else taken.first

    def advance(self) -> None:
        """Compute the next band of the tops."""
        assert self._done < self._height
        self._computing = True
        first, last = self._done, min(self._height, self._done + self.chunk)
        if self._rows is None:
            for bottom in self._bottoms:
                bottom.compute_to(bottom.height)
            tops = self._compute([bottom.take(0, bottom.height) for bottom in self._bottoms], first, last)
        else:
            tops = self._computed(self._rows, first, last)
        for top, band in zip(self.tops, self._followed(list(tops), first, last), strict=True):
            top.put(band)
        self._done = last
        del tops
        for bottom in self._bottoms:
            bottom.give_up()
        self._computing = False

    def _follow_bottom(self) -> None:
        """Compute what can be computed of the rows that are there, so that these can be freed."""
        assert self._rows is not None
        (bottom,) = self._bottoms
        while not self._computing and self._done < self._height:
            last = min(self._height, self._done + self.chunk)
            if not bottom.has(self._rows.taken(0, self._done, last, bottom.height).last):
                return
            self.advance()

    def follow(self, top: int, compute: ComputeBand) -> None:
        """Let an in-place layer that works row by row compute each band of a top before others read it."""
        self._in_place.append((top, compute))

    def _followed(self, tops: list[torch.Tensor], first: int, last: int) -> list[torch.Tensor]:
        for index, compute in self._in_place:
            (tops[index],) = compute([tops[index]], first, last)
        return tops

    def _computed(self, rows: Rows, first: int, last: int) -> list[torch.Tensor]:
        taken = [rows.taken(index, first, last, each.height) for index, each in enumerate(self._bottoms)]
        for bottom, part in zip(self._bottoms, taken, strict=True):
            bottom.compute_to(part.last)
        bands = []
        for bottom, part in zip(self._bottoms, taken, strict=True):
            if part.shape_only:
                n, channels, _, width = bottom.shape
                bands.append(
                    torch.zeros((), dtype=torch.float32, device=bottom.device).expand(n, channels, last - first, width)
                )
                continue
            band = bottom.take(part.first, part.last)
            if part.above or part.below:
                band = F.pad(band, (0, 0, part.above, part.below), value=rows.border)
            bands.append(band)
        surplus = taken[0].surplus if taken else 0
        return [_rows(band, surplus, last - first) for band in self._compute(bands, first, last)]


def _size(values: Sequence[Rowwise]) -> int:
    return sum(value.row_size * value.height for value in values)


def _rows(band: torch.Tensor, first: int, count: int) -> torch.Tensor:
    return band if band.shape[2] == count else band.narrow(2, first, count)
