"""Max pooling a few rows at a time, and, where there will be no gradient, by slices.

torch pools maps in channels-last layout with vector instructions, and others, such as a blob's, value by value, which
takes three times as long. So a few rows at a time, no more than the cache holds, are reordered, pooled, and reordered
back; all rows together, if there is a pad above and below. Maps that are in that layout already are pooled as they are.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from caffe.ops.calls import MaxPooling, Sizes
from caffe.ops.layout import is_side_by_side, laid_out_like, side_by_side
from caffe.plan import pool, rows
from caffe.plan.capabilities import Capability, Compared, drawn

MIN_CHANNELS = 16
MIN_COMPARED = 2**17
"""Values that are compared for one image; below it F.max_pool2d is faster (benchmarks/ways.py)."""
CACHED = 2**18
"""Values that are reordered at once: as many as the cache holds."""


def pays(c: MaxPooling) -> bool:
    """Whether a few rows at a time is the faster way: on a CPU, for many numbers, where a gradient is asked for."""
    compared = math.prod(c.x.shape[1:]) * math.prod(c.kernel) // math.prod(c.stride)
    many = c.x.shape[1] >= MIN_CHANNELS and compared >= MIN_COMPARED
    return c.recorded and c.x.is_cpu and _torch_pads(c) and many and CAPABILITY.works


def max_pool(c: MaxPooling) -> torch.Tensor:
    """As F.max_pool2d."""
    return _MaxPool.apply(c.x, tuple(c.kernel), tuple(c.stride), tuple(c.pad), c.ceil)


def pays_by_slices(c: MaxPooling) -> bool:
    """Whether slices are the faster way: on a CPU, where nobody asks for gradients, in channels-first layout."""
    return not c.recorded and c.x.is_cpu and not c.x.is_contiguous(memory_format=torch.channels_last)


def _torch_pads(c: MaxPooling) -> bool:
    """Whether torch's own function takes this pad."""
    return all(2 * p <= k for p, k in zip(c.pad, c.kernel, strict=True))


def largest_of_slices(c: MaxPooling) -> torch.Tensor:
    """As F.max_pool2d, ten times as fast on a CPU; but it has no gradient."""
    x, (height, width), (down, right), (above, left) = c.x, c.kernel, c.stride, c.pad
    pads = c.pad if _torch_pads(c) else (0, 0)  # else the border counts as part of the map
    axes = zip(x.shape[2:], c.kernel, c.stride, c.pad, pads, strict=True)
    rows, columns = (_positions(n + 2 * p, k, s, counted, c.ceil) for n, k, s, p, counted in axes)
    if above or left:
        x = F.pad(x, (left, left, above, above), value=-math.inf)
    x = _elementwise_max(
        [x[:, :, start : start + (rows - 1) * down + 1 : down] for start in range(min(height, x.shape[2]))], axis=2
    )
    return _elementwise_max(
        [x[..., start : start + (columns - 1) * right + 1 : right] for start in range(min(width, x.shape[3]))], axis=3
    )


def _elementwise_max(parts: list[torch.Tensor], axis: int) -> torch.Tensor:
    """Of slices of which the later ones may be shorter by one."""
    largest = parts[0]
    for part in parts[1:]:
        count, missing = part.shape[axis], largest.shape[axis] - part.shape[axis]
        larger = torch.maximum(largest.narrow(axis, 0, count), part)
        largest = torch.cat([larger, largest.narrow(axis, count, missing)], dim=axis) if missing else larger
    return largest


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernel: Sizes, stride: Sizes, pad: Sizes, ceil: bool) -> torch.Tensor:
        settings = (kernel, stride, pad, (1, 1), ceil)
        y, where = F.max_pool2d(x, *settings, return_indices=True) if is_side_by_side(x) else _by_bands(x, settings)
        ctx.save_for_backward(x, where.int())  # kept until backward, in half the memory of int64
        ctx.settings = settings
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        x, where = ctx.saved_tensors
        return _bottom_gradient(laid_out_like(grad, x), x, ctx.settings, where.long()), None, None, None, None


def _by_bands(x: torch.Tensor, settings: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The tops, and where their maxima are, as numbers of pixels (int32)."""
    kernel, stride, pad, _, ceil = settings
    top = zip(x.shape[2:], kernel, stride, pad, strict=True)
    y = pool.empty_like(x, *x.shape[:2], *(_positions(n + 2 * p, k, s, p, ceil) for n, k, s, p in top))
    where = y.new_empty(y.shape, dtype=torch.int32)
    step = y.shape[2] if pad[0] else max(1, CACHED // (x.shape[1] * x.shape[3] * stride[0]))
    for image in range(len(x)):
        for first_row, last_row in rows.bands(y.shape[2], step):
            first, last = first_row * stride[0], (last_row - 1) * stride[0] + kernel[0]
            seen = side_by_side(x[image : image + 1, :, first:last])
            values, at = F.max_pool2d(seen, *settings, return_indices=True)
            y[image, :, first_row:last_row] = values[0]
            torch.add(at[0], first * x.shape[3], out=where[image, :, first_row:last_row])
    return y, where


def _bottom_gradient(grad: torch.Tensor, x: torch.Tensor, settings: Sequence[Any], where: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.max_pool2d_with_indices_backward(grad, x, *settings, where)


def _positions(size: int, kernel: int, stride: int, pad: int, ceil: bool) -> int:
    """How many windows torch fits in a padded map: rounded up, one may hang over, if it begins before the far pad."""
    count = (size - kernel) // stride + 1
    hangs = ceil and (size - kernel) % stride and count * stride < size - pad
    return count + bool(hangs)


def _trial() -> Compared:
    x, settings = drawn(2, 5, 8, 7).round(), ((3, 2), (2, 1), (1, 0))  # with equal numbers among them
    top, where = F.max_pool2d(x, *settings, ceil_mode=True, return_indices=True)
    yield max_pool(MaxPooling(x, *settings, True)), top
    expected = torch.zeros_like(x).flatten(2).scatter_add_(2, where.flatten(2), top.flatten(2)).view_as(x)
    yield _bottom_gradient(top, x, (*settings, (1, 1), True), where), expected


CAPABILITY = Capability("max pooling a few rows at a time", _trial)
