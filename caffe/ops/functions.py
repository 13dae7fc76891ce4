"""The operations of layers, each computed by torch's own function. Weights and biases are taken in the type of x."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from caffe.ops import wide_strides
from caffe.ops.calls import ChannelMean, ConvolutionCall, DeconvolutionCall, MaxPooling, ReluGradient, Sizes
from caffe.ops.operation import Operation
from caffe.ops.weight import Weight

Tensor = torch.Tensor


def conv2d(
    x: Tensor, weight: Weight, bias: Tensor | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int
) -> Tensor:
    """(N, C, H, W) convolved with (O, C / group, h, w); bias: (O)."""
    return CONV2D(_convolution(x, weight, bias, stride, pad, dilation, group))


def conv_transpose2d(
    x: Tensor, weight: Weight, bias: Tensor | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int
) -> Tensor:
    """(N, C, H, W) convolved with the transpose of (C, O / group, h, w); bias: (O)."""
    return CONV_TRANSPOSE2D(DeconvolutionCall(x, weight, _of_type(bias, x), stride, pad, dilation, group))


def conv1d(
    x: Tensor, weight: Weight, bias: Tensor | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int
) -> Tensor:
    """(N, C, L) convolved with (O, C / group, l); bias: (O)."""
    return F.conv1d(*_arguments(_convolution(x, weight, bias, stride, pad, dilation, group)))


def conv3d(
    x: Tensor, weight: Weight, bias: Tensor | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int
) -> Tensor:
    """(N, C, D, H, W) convolved with (O, C / group, d, h, w); bias: (O)."""
    return F.conv3d(*_arguments(_convolution(x, weight, bias, stride, pad, dilation, group)))


def conv_transpose1d(
    x: Tensor, weight: Weight, bias: Tensor | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int
) -> Tensor:
    """(N, C, L) convolved with the transpose of (C, O / group, l); bias: (O)."""
    return F.conv_transpose1d(x, weight.of_type(x.dtype), _of_type(bias, x), stride, pad, 0, group, dilation)


def conv_transpose3d(
    x: Tensor, weight: Weight, bias: Tensor | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int
) -> Tensor:
    """(N, C, D, H, W) convolved with the transpose of (C, O / group, d, h, w); bias: (O)."""
    return F.conv_transpose3d(x, weight.of_type(x.dtype), _of_type(bias, x), stride, pad, 0, group, dilation)


def max_pool2d(x: Tensor, kernel: Sizes, stride: Sizes, pad: Sizes, *, ceil: bool) -> Tensor:
    """The largest value of each window on (N, C, H, W), with as many windows as F.max_pool2d has.

    pad: of −∞; less than the kernel. ceil: a last window that begins within the map may hang over its edge.
    """
    return MAX_POOL2D(MaxPooling(x, kernel, stride, pad, ceil))


def linear(x: Tensor, weight: Weight, bias: Tensor | None, *, transpose: bool = False) -> Tensor:
    """x (…, K) times weights (O, K), or (K, O) if `transpose`; bias: (O)."""
    matrix = weight.of_type(x.dtype)
    return F.linear(x, matrix.t() if transpose else matrix, _of_type(bias, x))


def channel_mean(x: Tensor, size: int) -> Tensor:
    """(N, C, …) → the same: at each channel, the sum over the `size` (odd) nearest ones, divided by `size`."""
    return CHANNEL_MEAN(ChannelMean(x, size))


def relu_gradient(grad: Tensor, top: Tensor) -> Tensor:
    """The gradient of a ReLU's bottom, of its top's gradient and its top."""
    return RELU_GRADIENT(ReluGradient(grad, top))


def padded_for_torch(x: Tensor, kernel: Sizes, pad: Sizes, border: float) -> tuple[Tensor, Sizes]:
    """A map (N, C, H, W), and the pad that is left for torch to add.

    torch's pooling takes no pad above half the kernel: then the border is part of the map that is given.
    """
    if all(2 * p <= k for p, k in zip(pad, kernel, strict=True)):
        return x, pad
    return F.pad(x, (pad[1], pad[1], pad[0], pad[0]), value=border), (0, 0)


def _convolution(
    x: Tensor, weight: Weight, bias: Tensor | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int
) -> ConvolutionCall:
    if any(step > 1 for step in dilation):  # along an axis on which kernels have one number, oneDNN may crash
        dilation = tuple(d if k > 1 else 1 for k, d in zip(weight.values.shape[2:], dilation, strict=True))
    return ConvolutionCall(x, weight, _of_type(bias, x), stride, pad, dilation, group)


def _of_type(bias: Tensor | None, x: Tensor) -> Tensor | None:
    return bias if bias is None or bias.dtype == x.dtype else bias.to(x.dtype)


def _conv2d(c: ConvolutionCall) -> Tensor:
    return F.conv2d(*_arguments(c))


def _arguments(call: ConvolutionCall) -> tuple[Any, ...]:
    """What torch's functions of convolution take."""
    c = wide_strides.narrowed(call)
    return c.x, c.weights.of_type(c.x.dtype), c.bias, c.stride, c.pad, c.dilation, c.group


def _conv_transpose2d(c: DeconvolutionCall) -> Tensor:
    weight = c.weights.of_type(c.x.dtype)
    return F.conv_transpose2d(c.x, weight, c.bias, c.stride, c.pad, 0, c.group, c.dilation)


def _max_pool2d(c: MaxPooling) -> Tensor:
    x, pad = padded_for_torch(c.x, c.kernel, c.pad, -math.inf)
    return F.max_pool2d(x, c.kernel, c.stride, pad, ceil_mode=c.ceil)


def _channel_mean(c: ChannelMean) -> Tensor:
    rows = c.x.flatten(2).unsqueeze(1)
    return F.avg_pool2d(rows, (c.size, 1), stride=1, padding=(c.size // 2, 0)).reshape(c.x.shape)


def _relu_gradient(c: ReluGradient) -> Tensor:
    return torch.where(c.top <= 0, 0, c.grad)


CONV2D = Operation(_conv2d)
CONV_TRANSPOSE2D = Operation(_conv_transpose2d)
MAX_POOL2D = Operation(_max_pool2d)
CHANNEL_MEAN = Operation(_channel_mean)
RELU_GRADIENT = Operation(_relu_gradient)
