"""Short maps: maps stored without most of their constant border, whose equal rows and columns are stored once.

Readers of a blob always get the whole map. Which maps are short, and where, the plan decides (caffe/plan/border.py).
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Short:
    """The rows or columns that a short map lacks near its two edges: `missing` copies of the one at `at`, after it."""

    at: tuple[int, int]
    missing: tuple[int, int]


Shorts = tuple[Short, Short]
"""Along rows and along columns."""
Stretches = list[tuple[int, int, int]]
"""(first, short, long): `short` rows of the short map from `first` on stand for `long` rows of the longer."""


def lengthen(x: torch.Tensor, now: Shorts, wanted: Shorts | None = None) -> torch.Tensor:
    """Repeat the rows and columns that a short map (…, H, W) lacks: all, or all but those that `wanted` lacks."""
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
    """`lengthen` with one kernel launch for each axis: on a GPU a launch costs more than copying a block of a map."""
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


def stretches(size: int, now: Short, wanted: Short | None) -> Stretches:
    """What `lengthen` makes along one axis, on which the whole map has this size."""
    return _stretches(size - sum(now.missing), now, wanted.missing if wanted else (0, 0))


def repeated(stretches: Stretches) -> list[int]:
    """For each row that `lengthen` makes, the row of the short map that it repeats."""
    return [first + (row if short == long else 0) for first, short, long in stretches for row in range(long)]


def _layout(x: torch.Tensor) -> torch.memory_format:
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def gather(grad: torch.Tensor, wanted: Shorts, now: Shorts | None = None) -> torch.Tensor:
    """The gradient of x, given that of `lengthen(x, wanted, now)`, (…, H, W); without `now`, that of the whole map."""
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
