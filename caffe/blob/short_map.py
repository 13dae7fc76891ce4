"""Maps without most of their constant border: rows and columns that are all alike are held once.

Whoever asks for such a map gets it whole; which maps are short, and where, is the plan's affair (caffe/plan/border.py).
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Short:
    """What a short map lacks along one axis, near its low and its high edge: `missing` rows like row `at`, after it."""

    at: tuple[int, int]
    missing: tuple[int, int]


Shorts = tuple[Short, Short]
"""Of the rows and of the columns."""
Stretches = list[tuple[int, int, int]]
"""(first, short, long): so many rows of a short map from the first on are so many of the longer one."""


def lengthen(x: torch.Tensor, now: Shorts, wanted: Shorts | None = None) -> torch.Tensor:
    """A short map (…, H, W) with the rows and columns that it lacks: all of them, or all but those `wanted` lacks."""
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
    """`lengthen` by one launch for each axis: on a GPU, a launch takes longer than copying a block of a map."""
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
