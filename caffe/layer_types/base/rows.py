"""Which rows of its bottoms a layer takes for a band of rows of its top: by this, maps are streamed.

A band is rows first … last − 1 of a map. Rows that a band takes beyond the edges of a bottom are its border: whoever
runs the layer lays them out, so that a layer that takes bands does not pad along the rows itself.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Taken:
    """What a band of the top takes of one bottom."""

    first: int
    last: int
    above: int = 0
    """Rows of border above these; `below` likewise."""
    below: int = 0
    surplus: int = 0
    """Of what the layer computes from them, so many rows lie above the band; what lies below it is left out, too."""
    shape_only: bool = False
    """The layer looks at the bottom's shape alone: rows with any values do, as many as the band has."""


@dataclass(frozen=True)
class Rows:
    """Each row of the tops is computed from the same row of every bottom."""

    @property
    def step(self) -> int:
        """Bands whose height is a multiple of this take least."""
        return 1

    @property
    def border(self) -> float:
        """The values of the border."""
        return 0.0

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        """What a band first … last − 1 of the top takes of a bottom of so many rows."""
        return Taken(first, last)


@dataclass(frozen=True)
class WindowRows(Rows):
    """Windows slide over the rows, `extent` high, from stride · row − pad on."""

    extent: int
    stride: int
    pad: int
    filled: float = 0.0
    hang: bool = False
    """The last window may hang over the border: what lies beyond does not count."""

    @property
    def border(self) -> float:
        return self.filled

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        begin, end = first * self.stride - self.pad, (last - 1) * self.stride - self.pad + self.extent
        if self.hang:
            end = min(end, height + self.pad)
        first_inside, last_inside = (min(max(row, 0), height) for row in (begin, end))
        return Taken(
            first_inside, last_inside, above=max(0, min(end, 0) - begin), below=max(0, end - max(begin, height))
        )


@dataclass(frozen=True)
class Spread(Rows):
    """Each row of the bottom is spread over `extent` rows of the top, from stride · row − pad on; extent ≥ stride."""

    extent: int
    stride: int
    pad: int

    @property
    def step(self) -> int:
        return self.stride

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        begin = max(0, -(-(first + self.pad - self.extent + 1) // self.stride))
        end = min(height, (last - 1 + self.pad) // self.stride + 1)
        return Taken(begin, end, surplus=first + self.pad - begin * self.stride)


@dataclass(frozen=True)
class Shifted(Rows):
    """Row r of the top is row r + offset of the first bottom; of the others only the shape counts."""

    offset: int

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        return Taken(0, 0, shape_only=True) if bottom else Taken(first + self.offset, last + self.offset)


@dataclass(frozen=True)
class Repeated(Rows):
    """Each row of the bottom becomes `times` rows."""

    times: int

    @property
    def step(self) -> int:
        return self.times

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        begin = first // self.times
        return Taken(begin, -(-last // self.times), surplus=first - begin * self.times)


@dataclass(frozen=True)
class Resized(Rows):
    """Rows between two of the bottom, corners upon corners: `inner` rows from `cut` on become `outer` ones."""

    inner: int
    outer: int
    cut: int

    def source(self, row: int) -> float:
        """Where a row of the top lies among the inner rows, in the precision in which torch has it."""
        if self.outer == 1:
            return 0.0
        return float(np.float32(self.inner - 1) / np.float32(self.outer - 1) * np.float32(row))

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        if bottom:
            return Taken(0, 0, shape_only=True)
        begin = min(int(self.source(first)), self.inner - 1)
        end = min(self.inner, int(self.source(last - 1)) + 2)
        return Taken(begin + self.cut, end + self.cut)
