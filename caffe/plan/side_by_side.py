"""Convolutions that learn in bfloat16 on a CPU, with the channels of a pixel side by side.

oneDNN multiplies maps in this layout. torch rearranges maps of the other one before and after each product, value by
value, which takes longer than the products of the first layers of VGG16.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from caffe.ops.calls import ConvolutionCall, Sizes
from caffe.ops.layout import side_by_side
from caffe.plan.capabilities import BFLOAT16, Capability, Compared, drawn
from caffe.plan.matrix import Room

Tensor = torch.Tensor


def pays(c: ConvolutionCall) -> bool:
    """Whether such a convolution is recorded, in bfloat16 on a CPU on which oneDNN multiplies that."""
    return c.recorded and c.x.is_cpu and c.x.dtype == torch.bfloat16 and CAPABILITY.works


def kernels(c: ConvolutionCall) -> Tensor:
    """The weights for `convolve`, laid out once for many passes if they do not learn."""
    return c.weights.made_of(_fixed_kernels, c.x.dtype)


def convolve(c: ConvolutionCall, weight: Tensor) -> Tensor:
    """As F.conv2d, in this layout."""
    room = c.weights.gradient_memory
    return _Convolve.apply(c.x, weight, c.bias, (c.stride, c.pad, c.dilation), c.group, room)


def _fixed_kernels(values: Tensor, kind: torch.dtype) -> Tensor:
    """Weights that learn as they are: `_Convolve` lays them out, and their gradient has their own type and layout."""
    return values if values.requires_grad else laid_out(values, kind)


def laid_out(values: Tensor, kind: torch.dtype) -> Tensor:
    """Maps or weights in this type and layout."""
    return values.to(kind, memory_format=torch.channels_last)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        steps: Sequence[Sizes],
        group: int,
        room: Room,
    ) -> Tensor:
        maps, kernels = side_by_side(x), laid_out(weight, x.dtype)
        ctx.save_for_backward(maps, kernels)
        ctx.settings, ctx.room, ctx.kind = (steps, group), room, weight.dtype
        stride, pad, dilation = steps
        return F.conv2d(maps, kernels, bias, stride, pad, dilation, group)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (maps, kernels), ((stride, pad, dilation), group) = ctx.saved_tensors, ctx.settings
        to_x, to_weight, to_bias = torch.ops.aten.convolution_backward(
            side_by_side(grad),
            maps,
            kernels,
            [len(kernels)],  # biases
            stride,
            pad,
            dilation,
            False,  # not transposed
            [0, 0],
            group,
            ctx.needs_input_grad[:3],
        )
        if to_weight is not None:
            to_weight = _into(ctx.room(), to_weight, ctx.kind)
        return to_x, to_weight, to_bias, None, None, None


def _into(room: Tensor | None, values: Tensor, kind: torch.dtype) -> Tensor:
    """The values in this type, one channel after the other; written into `room`, if that has the right size."""
    if room is None or room.numel() != values.numel():
        return values.to(kind, memory_format=torch.contiguous_format)
    return room.view(values.shape).copy_(values)


def _trial() -> Compared:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise RuntimeError("oneDNN has no products of bfloat16 on this CPU")
    with torch.inference_mode(mode=False), torch.enable_grad():
        return [*_tops_and_gradients(((1, 1), (1, 1), (1, 1)), 1), *_tops_and_gradients(((1, 2), (2, 0), (2, 1)), 2)]


def _tops_and_gradients(steps: Sequence[Sizes], group: int) -> Compared:
    x, weight, bias = drawn(2, 4, 9, 10).bfloat16(), drawn(6, 4 // group, 3, 3), drawn(6).bfloat16()
    leaves = [values.requires_grad_() for values in (x, weight, bias)]
    rounded = [values.detach().bfloat16().float().requires_grad_() for values in leaves]
    (as_x, kernels, biases), (stride, pad, dilation) = rounded, steps
    top = _Convolve.apply(*leaves, steps, group, lambda: None)
    expected = F.conv2d(as_x, kernels, biases, stride, pad, dilation, group)
    grad = drawn(*top.shape).bfloat16()
    found, wanted = torch.autograd.grad(top, leaves, grad), torch.autograd.grad(expected, rounded, grad.float())
    return [(top, expected), *zip(found, wanted, strict=True)]


CAPABILITY = Capability("learning in bfloat16 with the channels of a pixel side by side", _trial, BFLOAT16)
