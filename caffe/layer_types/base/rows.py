"""Which rows of its bottoms a layer needs to compute a band of rows of its tops. Streaming (caffe/plan) rests on it.

A band is the rows first … last − 1 of a map. The rows that it needs beyond the edges of a bottom are padding, which the
caller adds: a layer that computes bands does not pad along the rows itself.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Taken:
    """The rows first … last − 1 of one bottom that a band of the top needs, and the padding around them."""

    first: int
    last: int
    above: int = 0
    """Rows of padding above them; `below`: under them."""
    below: int = 0
    surplus: int = 0
    """The layer computes this many rows above the band, and perhaps some below it; the caller cuts both off."""
    shape_only: bool = False
    """The layer uses only the shape of this bottom: it gets as many rows as the band has, with any values."""


@dataclass(frozen=True)
class Rows:
    """Row r of the tops is computed from row r of every bottom. Subclasses describe other layers."""

    @property
    def step(self) -> int:
        """Bands whose height is a multiple of this many rows compute the fewest rows twice."""
        return 1

    @property
    def border(self) -> float:
        """The value of the padding."""
        return 0.0

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        """What the rows first … last − 1 of the top need of bottom number `bottom`, which has `height` rows."""
        return Taken(first, last)


@dataclass(frozen=True)
class WindowRows(Rows):
    """A sliding window: row r of the top sees the `extent` rows of the bottom from stride · r − pad on."""

    extent: int
    stride: int
    pad: int
    filled: float = 0.0
    hang: bool = False
    """Whether the last window may reach beyond the padding; what lies there does not count."""

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
    """A transposed window: row r of the bottom adds to `extent` rows of the top from stride · r − pad on.

    extent ≥ stride.
    """

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
    """A crop: row r of the top is row r + offset of the first bottom; the others give only their shape."""

    offset: int

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        return Taken(0, 0, shape_only=True) if bottom else Taken(first + self.offset, last + self.offset)


@dataclass(frozen=True)
class Repeated(Rows):
    """Nearest-neighbour upsampling: each row of the bottom becomes `times` rows of the top."""

    times: int

    @property
    def step(self) -> int:
        return self.times

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        begin = first // self.times
        return Taken(begin, -(-last // self.times), surplus=first - begin * self.times)


@dataclass(frozen=True)
class Resized(Rows):
    """Bilinear resizing with aligned corners: the `inner` rows of the bottom from row `cut` on become `outer` rows."""

    inner: int
    outer: int
    cut: int

    def source(self, row: int) -> float:
        """The position of a row of the top among the inner rows, rounded as torch rounds it (float32)."""
        if self.outer == 1:
            return 0.0
        return float(np.float32(self.inner - 1) / np.float32(self.outer - 1) * np.float32(row))

    def taken(self, bottom: int, first: int, last: int, height: int) -> Taken:
        if bottom:
            return Taken(0, 0, shape_only=True)
        begin = min(int(self.source(first)), self.inner - 1)
        end = min(self.inner, int(self.source(last - 1)) + 2)
        return Taken(begin + self.cut, end + self.cut)
