"""Gaussian filtering in many dimensions in linear time: the permutohedral lattice.

A. Adams, J. Baek, M. A. Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice, Eurographics 2010.
Values are splatted from the points to the vertices of the simplices around them, blurred along the lattice's d + 1
axes, and sliced back. All three are sparse matrices applied by sums over bags of rows, which every device has.
"""

import math
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe.ops.gaussian_filter import check_features, check_normalization, check_values, scales
from caffe.ops.linear_map import apply_linear


class Lattice:
    """The Gaussian filter exp(-|f_i - f_j|²/2) over N points, approximately.

    `features` (N, d) are positions and colours, already divided by their standard deviations. The filter's scale is
    not the exact sum's (about .9 of it for d = 2, .5 to .7 for d = 5): normalize it ("after", "symmetric").
    """

    def __init__(self, features: Tensor, normalization: str = "none") -> None:
        check_features(features)
        check_normalization(normalization)
        simplices = _simplices(features.detach())
        self._incidence = _incidence(simplices)
        self._blurs = _blurs(self._incidence.keys, simplices.box, features.dtype)
        self._in = simplices.weights
        self._out = simplices.weights / (1 + 2.0 ** -features.shape[1])
        self._normalize(normalization)

    @property
    def points(self) -> int:
        return len(self._incidence.vertices)

    @property
    def vertices(self) -> int:
        return len(self._incidence.keys)

    def gather(self, values: Tensor) -> Tensor:
        """(points, channels) to (vertices, channels): splat and blur."""
        check_values(values, self.points, self._in)
        return apply_linear(values, self._gather, self._gather_adjoint)

    def spread(self, values: Tensor) -> Tensor:
        """(vertices, channels) to (points, channels): slice."""
        check_values(values, self.vertices, self._out)
        return apply_linear(values, self._slice.apply, lambda gradient: self._slice_adjoint.apply(gradient))

    def filter(self, values: Tensor) -> Tensor:
        """K·values, (points, channels)."""
        return self.spread(self.gather(values))

    def adjoint(self, values: Tensor) -> Tensor:
        """Kᵀ·values, (points, channels): the blur takes its axes in reverse order."""
        check_values(values, self.points, self._in)
        return self._gather_adjoint(self._slice_adjoint.apply(values))

    def _normalize(self, normalization: str) -> None:
        if normalization == "none":
            return
        before, after = scales(self.filter(torch.ones_like(self._in[0, :, None])), normalization)
        del self._slice
        if before is not None:
            self._in = self._in * before.view(-1)
            del self._splat
        if after is not None:
            self._out = self._out * after.view(-1)

    def _gather(self, values: Tensor) -> Tensor:
        values = self._splat.apply(values)
        for blur in self._blurs:
            values = blur.apply(values)
        return values

    def _gather_adjoint(self, values: Tensor) -> Tensor:
        for blur in reversed(self._blurs):
            values = blur.apply(values)
        return self._splat_adjoint.apply(values)

    @cached_property
    def _splat(self) -> "_Bags":
        return self._incidence.by_vertex(self._in)

    @cached_property
    def _splat_adjoint(self) -> "_Bags":
        return self._incidence.by_point(self._in)

    @cached_property
    def _slice(self) -> "_Bags":
        return self._incidence.by_point(self._out)

    @cached_property
    def _slice_adjoint(self) -> "_Bags":
        return self._incidence.by_vertex(self._out)


class _Bags(NamedTuple):
    """A sparse matrix by rows: row r has weights[offsets[r]:offsets[r + 1]] at the columns indices[…]."""

    indices: Tensor
    offsets: Tensor
    weights: Tensor

    def apply(self, values: Tensor) -> Tensor:
        return F.embedding_bag(
            self.indices,
            values.contiguous(),
            self.offsets,
            mode="sum",
            per_sample_weights=self.weights,
            include_last_offset=True,
        )


class _Incidence(NamedTuple):
    """Which vertices are round which points. Weights are (d + 1, points)."""

    keys: Tensor  # (vertices,), ascending
    vertices: Tensor  # (points, d + 1): those of each point
    order: Tensor  # (d + 1, points): the points of each vertex, for each remainder in the order of the keys
    offsets: Tensor  # (vertices + 1,): where a vertex begins in `order`

    def by_point(self, weights: Tensor) -> _Bags:
        size, step = self.vertices.numel(), self.vertices.shape[1]
        offsets = torch.arange(0, size + 1, step, dtype=torch.int32, device=weights.device)
        return _Bags(self.vertices.view(-1), offsets, weights.t().contiguous().view(-1))

    def by_vertex(self, weights: Tensor) -> _Bags:
        return _Bags(self.order.to(torch.int32).view(-1), self.offsets, weights.gather(1, self.order).view(-1))


class _Box(NamedTuple):
    """How vertices are numbered.

    The d + 1 coordinates of a vertex have the same remainder r by d + 1, and the sum 0: it is known by r and by d
    quotients, which make one integer: r · cells + Σ strides[i] · quotient[i], quotients counted from the lowest.
    """

    strides: list[int]  # d + 1; the last is 0, since the last coordinate follows from the others
    cells: int

    @property
    def dtype(self) -> torch.dtype:
        return torch.int32 if self.cells * len(self.strides) < 2**31 else torch.int64


class _Simplices(NamedTuple):
    """The d + 1 vertices round each point, the r-th of remainder r."""

    cells: Tensor  # (d + 1, points): their numbers, less r · cells
    weights: Tensor  # (d + 1, points): barycentric, a point's sum is 1
    box: _Box


def _simplices(features: Tensor) -> _Simplices:
    corners = features.shape[1] + 1
    elevated = _elevation(features) @ features.t()
    quotients = (elevated / corners).round_()
    rests = elevated.div_(corners).sub_(quotients)
    ranks = _ranks(rests, quotients)
    # The nearest vertex of remainder 0 lies on the plane of sum 0 only after this shift.
    shift = (ranks < 0).to(rests.dtype) - (ranks >= corners).to(rests.dtype)
    quotients += shift
    rests -= shift
    ranks += shift.to(ranks.dtype) * corners
    box, lowest = _box(quotients)
    indices = ranks.long()
    by_rank = torch.empty_like(rests).scatter_(0, indices, rests)
    return _Simplices(_cells(quotients.sub_(lowest), indices, box), _barycentric(by_rank), box)


def _elevation(features: Tensor) -> Tensor:
    """(d + 1, d): onto the plane of sum 0 in d + 1 dimensions, to the scale at which the blur has unit variance."""
    d = features.shape[1]
    matrix = torch.zeros(d + 1, d, dtype=torch.float64)
    for j in range(1, d + 1):
        scale = math.sqrt(2 / 3) * (d + 1) / math.sqrt(j * (j + 1))
        matrix[:j, j - 1] = scale
        matrix[j, j - 1] = -j * scale
    return matrix.to(features)


def _ranks(rests: Tensor, quotients: Tensor) -> Tensor:
    """(d + 1, points): the place of each coordinate among a point's in falling order, plus the sum of the quotients."""
    corners = len(rests)
    ranks = quotients.sum(0).round_().to(torch.int32).repeat(corners, 1)
    for i in range(corners):
        for j in range(i + 1, corners):
            lower = rests[i] < rests[j]
            ranks[i] += lower
            ranks[j] += ~lower
    return ranks


def _barycentric(rests: Tensor) -> Tensor:
    """(d + 1, points): weights of the vertices of remainder 0, 1, … d, from rests (d + 1, points) in falling order."""
    rising = rests.flip(0)
    return rising - torch.cat([rising[-1:] - 1, rising[:-1]])


def _box(quotients: Tensor) -> tuple[_Box, Tensor]:
    """The numbering of all vertices with these quotients, one less, and their neighbours; the lowest (d + 1, 1)."""
    lowest, highest = quotients.amin(1, keepdim=True) - 2, quotients.amax(1, keepdim=True) + 1
    extents = [int(extent) for extent in (highest - lowest + 1).flatten().tolist()]
    corners = len(extents)
    strides = [0] * corners
    size = 1
    for axis in range(corners - 1):
        strides[axis] = size
        size *= extents[axis]
    if size * corners >= 2**63:
        raise ValueError(
            f"features span {' × '.join(map(str, extents))} cells of the lattice, more than can be numbered; "
            "expected larger standard deviations"
        )
    return _Box(strides, size), lowest


def _cells(quotients: Tensor, ranks: Tensor, box: _Box) -> Tensor:
    """(d + 1, points): of the vertex of remainder r the r last coordinates by rank have a quotient one less."""
    strides = torch.tensor(box.strides, dtype=box.dtype, device=quotients.device)[:, None]
    by_rank = torch.empty(quotients.shape, dtype=box.dtype, device=quotients.device)
    by_rank.scatter_(0, ranks, strides.expand_as(ranks))
    cells = torch.empty_like(by_rank)
    torch.sum(quotients.to(box.dtype) * strides, 0, dtype=box.dtype, out=cells[0])
    for remainder in range(1, len(cells)):
        torch.sub(cells[remainder - 1], by_rank[-remainder], out=cells[remainder])
    return cells


def _incidence(simplices: _Simplices) -> _Incidence:
    corners, points = simplices.cells.shape
    device = simplices.cells.device
    vertices = torch.empty(points, corners, dtype=torch.int32, device=device)
    order = torch.empty(corners, points, dtype=torch.int64, device=device)
    keys, starts, count = [], [], 0
    for remainder, cells in enumerate(simplices.cells):
        ordered, order[remainder] = torch.sort(cells, stable=True)
        first = torch.ones_like(ordered, dtype=torch.bool)
        torch.ne(ordered[1:], ordered[:-1], out=first[1:])
        numbers = first.cumsum(0, dtype=torch.int32).add_(count - 1)
        vertices[:, remainder].index_copy_(0, order[remainder], numbers)
        found = first.nonzero().view(-1)
        keys.append(ordered[found] + remainder * simplices.box.cells)
        starts.append(found + remainder * points)
        count += len(found)
    offsets = F.pad(torch.cat(starts), (0, 1), value=corners * points).to(torch.int32)
    return _Incidence(torch.cat(keys), vertices, order, offsets)


def _blurs(keys: Tensor, box: _Box, dtype: torch.dtype) -> list[_Bags]:
    """One for each axis: v + ½ (v₊ + v₋) over the vertices, where missing neighbours count as 0."""
    corners = len(box.strides)
    # Along an axis every coordinate is one more, this one d less: the next remainder, or, after the last, remainder 0
    # with quotients one more; this axis's quotient one less.
    last = keys >= (corners - 1) * box.cells
    onwards = keys + torch.where(last, sum(box.strides) - (corners - 1) * box.cells, box.cells).to(keys.dtype)
    return [_blur(keys, onwards - stride, dtype) for stride in box.strides]


def _blur(keys: Tensor, following: Tensor, dtype: torch.dtype) -> _Bags:
    """`following` are the keys of the vertices' next ones, which may be missing; `keys` ascend."""
    here = torch.arange(len(keys), dtype=torch.int32, device=keys.device)
    found = torch.searchsorted(keys, following, out_int32=True).clamp_(max=len(keys) - 1)
    exists = keys.index_select(0, found) == following
    nexts, those = found[exists].long(), here[exists]
    indices = here[:, None].repeat(1, 3)  # what is missing is the vertex itself, of weight 0
    weights = torch.zeros(len(keys), 3, dtype=dtype, device=keys.device)
    weights[:, 0] = 1
    indices[:, 1] = torch.where(exists, found, here)
    weights[:, 1] = exists * 0.5
    indices[nexts, 2] = those
    weights[nexts, 2] = 0.5
    offsets = torch.arange(0, indices.numel() + 1, 3, dtype=torch.int32, device=keys.device)
    return _Bags(indices.view(-1), offsets, weights.view(-1))
