"""A convolution whose stride is wide: it leads over the whole map or over values that no window sees, or the window has
one position only.

oneDNN then crashes, or gives other numbers (in bfloat16, and with packed or channels-last maps). So the border is made
part of the map, values that no window sees are taken out of it, and a stride that is never taken becomes 1.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F

from caffe.ops.calls import ConvolutionCall

USUAL = 2
"""A stride with which oneDNN is right whatever the kernel: a residual net's 1 × 1 kernels have it."""


def is_wide(c: ConvolutionCall) -> bool:
    """Whether the stride is wide along an axis."""
    return any(_is_wide(c, axis) for axis in range(len(c.stride)))


def narrowed(c: ConvolutionCall) -> ConvolutionCall:
    """The same convolution, with a map and strides that are not wide."""
    for axis in range(len(c.stride)):
        if _is_wide(c, axis):
            c = _narrowed(c, axis)
    return c


def _narrowed(c: ConvolutionCall, axis: int) -> ConvolutionCall:
    step, extent, size, pad = c.stride[axis], _extent(c, axis), _size(c, axis), c.pad[axis]
    if _has_one_position(c, axis):
        before = min(pad, extent)
        seen = min(size, extent - before)
        x = _bordered(c.x.narrow(2 + axis, 0, seen), axis, before, extent - before - seen)
        return replace(c, x=x, stride=_with(c.stride, axis, 1), pad=_with(c.pad, axis, 0))
    x = _bordered(c.x, axis, pad, pad)
    if step <= max(extent, USUAL):
        return replace(c, x=x, pad=_with(c.pad, axis, 0))
    kernel = c.weight.shape[2 + axis]
    starts = torch.arange(0, size + 2 * pad - extent + 1, step, device=x.device)
    seen_values = starts[:, None] + c.dilation[axis] * torch.arange(kernel, device=x.device)
    return replace(
        c,
        x=x.index_select(2 + axis, seen_values.flatten()),
        stride=_with(c.stride, axis, kernel),
        pad=_with(c.pad, axis, 0),
        dilation=_with(c.dilation, axis, 1),
    )


def _is_wide(c: ConvolutionCall, axis: int) -> bool:
    step = c.stride[axis]
    if step == 1:
        return False
    covers = _size(c, axis) < step and c.pad[axis] > 0
    return covers or step > max(_extent(c, axis), USUAL) or _has_one_position(c, axis)


def _has_one_position(c: ConvolutionCall, axis: int) -> bool:
    return _size(c, axis) + 2 * c.pad[axis] - _extent(c, axis) < c.stride[axis]


def _size(c: ConvolutionCall, axis: int) -> int:
    return c.x.shape[2 + axis]


def _extent(c: ConvolutionCall, axis: int) -> int:
    return c.dilation[axis] * (c.weight.shape[2 + axis] - 1) + 1


def _bordered(x: torch.Tensor, axis: int, before: int, after: int) -> torch.Tensor:
    if before == after == 0:
        return x
    later = x.dim() - 3 - axis  # F.pad begins with the last axis
    return F.pad(x, (0, 0) * later + (before, after))


def _with(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])
