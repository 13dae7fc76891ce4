"""Max pooling a few rows at a time.

torch compares many channels at once where they lie side by side, and one number after the other where, as in a blob,
they lie map by map: that takes three times as long. So a few rows, no more than the cache holds, are laid out that way,
pooled, and laid back.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch

from caffe import plan
from caffe.plan import rows

FEWEST_CHANNELS = 16
FEWEST_VALUES = 2**17
"""In the map of an image; fewer are pooled sooner than taken apart."""
CACHED = 2**18
"""How many numbers are laid out at once."""


def pays(x: torch.Tensor, pad: Sequence[int]) -> bool:
    """Whether this is the faster way: for large maps on a CPU, without a border."""
    large = x.shape[1] >= FEWEST_CHANNELS and math.prod(x.shape[1:]) >= FEWEST_VALUES
    return not plan.PLAIN and x.is_cpu and large and not any(pad)


def max_pool(x: torch.Tensor, kernel_size: Sequence[int], stride: Sequence[int], ceil_mode: bool) -> torch.Tensor:
    """As F.max_pool2d, of (N, C, H, W)."""
    return _MaxPool.apply(x, tuple(kernel_size), tuple(stride), ceil_mode)


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernel: Sequence[int], stride: Sequence[int], ceil: bool) -> torch.Tensor:
        height, width = (_positions(n, k, s, ceil) for n, k, s in zip(x.shape[2:], kernel, stride, strict=True))
        y = x.new_empty(*x.shape[:2], height, width)
        where = torch.empty(y.shape, dtype=torch.int32)  # kept until backward, in half the memory of int64
        step = max(1, CACHED // (x.shape[1] * x.shape[3] * stride[0]))
        for image in range(len(x)):
            for top, bottom in rows.bands(height, step):
                first, last = top * stride[0], (bottom - 1) * stride[0] + kernel[0]
                seen = x[image : image + 1, :, first:last].contiguous(memory_format=torch.channels_last)
                values, at = torch.ops.aten.max_pool2d_with_indices(seen, kernel, stride, ceil_mode=ceil)
                y[image, :, top:bottom] = values[0]
                torch.add(at[0], first * x.shape[3], out=where[image, :, top:bottom])
        ctx.save_for_backward(x, where)
        ctx.settings = (kernel, stride, (0, 0), (1, 1), ceil)
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        x, where = ctx.saved_tensors
        return torch.ops.aten.max_pool2d_with_indices_backward(grad, x, *ctx.settings, where.long()), None, None, None


def _positions(size: int, kernel: int, stride: int, ceil: bool) -> int:
    """How many windows torch fits in: rounded up, one may hang over the edge, if it does not begin beyond it."""
    count = (size - kernel) // stride + 1
    hangs = ceil and (size - kernel) % stride and count * stride < size
    return count + bool(hangs)
