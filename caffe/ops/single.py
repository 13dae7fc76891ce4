"""A convolution whose window has one position along an axis: its stride there is never taken.

oneDNN takes it nevertheless: it crashes, or gives other numbers (in bfloat16, and with packed or channels-last maps).
So such a window gets the stride 1, and exactly the values that it sees.
"""

from dataclasses import replace

import torch.nn.functional as F

from caffe.ops.calls import ConvolutionCall


def has_unused_stride(c: ConvolutionCall) -> bool:
    """Whether the window has one position along an axis on which its stride is not 1."""
    return any(_is_single(c, axis) for axis in range(len(c.stride)))


def without_unused_strides(c: ConvolutionCall) -> ConvolutionCall:
    """The same convolution, with the stride 1 along axes on which the window has one position."""
    x, stride, pad, axes = c.x, list(c.stride), list(c.pad), len(c.stride)
    added = [0] * (2 * axes)
    for axis in range(axes):
        if _is_single(c, axis):
            extent = _extent(c, axis)
            before = min(c.pad[axis], extent)
            seen = min(x.shape[2 + axis], extent - before)
            x = x.narrow(2 + axis, 0, seen)
            last = 2 * (axes - 1 - axis)  # F.pad begins with the last axis
            added[last : last + 2] = before, extent - before - seen
            stride[axis], pad[axis] = 1, 0
    return replace(c, x=F.pad(x, added) if any(added) else x, stride=tuple(stride), pad=tuple(pad))


def _is_single(c: ConvolutionCall, axis: int) -> bool:
    step = c.stride[axis]
    return step > 1 and c.x.shape[2 + axis] + 2 * c.pad[axis] - _extent(c, axis) < step


def _extent(c: ConvolutionCall, axis: int) -> int:
    return c.dilation[axis] * (c.weight.shape[2 + axis] - 1) + 1
