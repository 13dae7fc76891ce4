"""The border of a map, where every row is like the next: computed once, not a hundred times.

The first convolution of an FCN pads its image by 100 pixels of zeros. Between the rows that see the image and those
that see the edge of the map (where later convolutions pad with zeros again) lies a run of rows that are all alike, and
of columns likewise. A short map leaves most of such a run out; layers compute on short maps what they would compute on
whole ones, and whoever asks for a blob gets it whole. A layer further down, which sees further, gets rows back.

Everything here follows from kernels, strides and pads, one axis at a time, and is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from caffe.receptive_field import ReceptiveField


@dataclass(frozen=True)
class Run:
    """Rows start … end − 1 of a whole map, all alike."""

    start: int
    end: int

    @property
    def surplus(self) -> int:
        """How many rows can be left out, so that one stays."""
        return max(0, self.end - self.start - 1)

    def through(self, field: ReceptiveField) -> "Run":
        """The rows of the top that see nothing but this run."""
        start = -(-(self.start + field.pad) // field.stride)
        return Run(start, (self.end + field.pad - field.extent) // field.stride + 1)


@dataclass(frozen=True)
class Short:
    """What a short map lacks along one axis, near its low and its high edge: `missing` rows like row `at`, after it."""

    at: tuple[int, int]
    missing: tuple[int, int]

    @classmethod
    def of(cls, runs: tuple[Run, Run], missing: tuple[int, int]) -> "Short":
        low, high = runs
        return cls((low.start, high.start - missing[0]), missing)


@dataclass(frozen=True)
class Step:
    """One layer along one axis: what its bottom and its top lack, and by how much its bottom is padded less."""

    bottom: Short | None
    top: Short
    pad_less: tuple[int, int] = (0, 0)


def plan(fields: Sequence[ReceptiveField], size: int) -> list[Step]:
    """A step for each layer of a chain on an image of `size` pixels along one axis, up to the first that lacks nothing.

    The first layer pads with zeros. Up to the next stride all maps lack the same; only there, where maps are smaller,
    rows come back.
    """
    runs = [(Run(-fields[0].pad, 0), Run(size, size + fields[0].pad))]
    for field in fields:
        runs.append((runs[-1][0].through(field), runs[-1][1].through(field)))
    steps: list[Step] = []
    missing = runs[1][0].surplus, runs[1][1].surplus
    for first, last in _stages(fields):
        stride = fields[last].stride if last else 1
        low, high = (
            _fewest(count, [run[side] for run in runs[max(first, 1) : last + 1]], runs[last + 1][side], stride)
            for side, count in enumerate(missing)
        )
        if not low + high:
            break
        for index in range(first, last + 1):
            missing = (low, high) if index < last else (low // stride, high // stride)
            top = Short.of(runs[index + 1], missing)
            if index:
                steps.append(Step(Short.of(runs[index], (low, high)), top))
            else:
                steps.append(Step(None, top, (missing[0] * fields[0].stride, missing[1] * fields[0].stride)))
    return steps


def _fewest(missing: int, runs: Sequence[Run], top: Run, stride: int) -> int:
    """How many rows a stage can do without: in its maps, and, a stride further, in its top."""
    return min(min([missing, *(run.surplus for run in runs)]) // stride, top.surplus) * stride


def _stages(fields: Sequence[ReceptiveField]) -> list[tuple[int, int]]:
    """First and last layer of each stage: one ends with every stride after the first layer's."""
    ends = [index for index, field in enumerate(fields) if index and field.stride > 1]
    if not ends or ends[-1] < len(fields) - 1:
        ends.append(len(fields) - 1)
    return list(zip([0, *(end + 1 for end in ends)], ends, strict=False))


Shorts = tuple[Short, Short]
"""Of the rows and of the columns."""
Stretches = list[tuple[int, int, int]]
"""(first, short, long): so many rows of a short map from the first on are so many of the longer one."""


def lengthen(x: torch.Tensor, now: Shorts, wanted: Shorts | None = None) -> torch.Tensor:
    """(…, H, W) with the rows and columns that it lacks, all of them or all but those that `wanted` lacks."""
    rows, columns = (
        _stretches(size, short, less.missing if less else (0, 0))
        for size, short, less in zip(x.shape[-2:], now, wanted or (None, None), strict=True)
    )
    if len(rows) == len(columns) == 1:
        return x
    if not x.is_cpu:
        return _lengthen_axes(x, rows, columns)
    shape = (*x.shape[:-2], sum(long for *_, long in rows), sum(long for *_, long in columns))
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_layout(x))
    bands = zip(rows, y.split([long for *_, long in rows], dim=-2), strict=True)
    for (row, height, _), band in bands:
        blocks = zip(columns, band.split([long for *_, long in columns], dim=-1), strict=True)
        for (column, width, _), block in blocks:
            block.copy_(x.narrow(-2, row, height).narrow(-1, column, width))
    return y


def _lengthen_axes(x: torch.Tensor, rows: Stretches, columns: Stretches) -> torch.Tensor:
    """`lengthen` by one launch an axis: on a GPU, a block of a map takes less time than to ask for it."""
    last = _layout(x) == torch.channels_last
    y = x.movedim(1, -1) if last else x
    for axis, stretches in enumerate((rows, columns), start=1 if last else y.dim() - 2):
        if len(stretches) > 1:
            before, after = [-1] * axis, [-1] * (y.dim() - axis - 1)
            pieces = [y.narrow(axis, first, short).expand(*before, long, *after) for first, short, long in stretches]
            y = torch.cat(pieces, dim=axis)
    return y.movedim(-1, 1) if last else y


def _stretches(size: int, short: Short, less: tuple[int, int]) -> Stretches:
    if short.missing == less:
        return [(0, size, size)]
    found, begin = [], 0
    for at, missing, left in zip(short.at, short.missing, less, strict=True):
        found += [(begin, at + 1 - begin, at + 1 - begin), (at, 1, missing - left)]
        begin = at + 1
    return [*found, (begin, size - begin, size - begin)]


def _layout(x: torch.Tensor) -> torch.memory_format:
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def gather(grad: torch.Tensor, wanted: Shorts, now: Shorts | None = None) -> torch.Tensor:
    """The adjoint of `lengthen(x, wanted, now)`: the gradient of x. Without `now`, `grad` is that of the whole map."""
    for axis, short in zip((-2, -1), wanted, strict=True):
        already = now[axis].missing if now else (0, 0)
        if short.missing == already:
            continue
        pieces, begin, skipped = [], 0, 0
        for at, missing, less in zip(short.at, short.missing, already, strict=True):
            kept, more = at + 1 + skipped - begin, missing - less
            pieces.append(grad.narrow(axis, begin, kept - 1))
            pieces.append(grad.narrow(axis, begin + kept - 1, 1 + more).sum(axis, keepdim=True))
            begin += kept + more
            skipped += more
        pieces.append(grad.narrow(axis, begin, grad.shape[axis] - begin))
        grad = torch.cat(pieces, dim=axis)
    return grad
