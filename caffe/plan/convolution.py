"""The fastest way to compute a convolution of images: the one place that chooses."""

import torch
import torch.nn.functional as F

from caffe import plan
from caffe.plan import matrix, packed, pointwise, strips, winograd
from caffe.plan.matrix import Sizes
from caffe.plan.parameter import Parameter

LARGE_MAP = 2**16
"""Values; below it, laying them out takes longer than the convolution."""


def convolve(
    x: torch.Tensor,
    weights: Parameter,
    bias: torch.Tensor | None,
    stride: Sizes,
    pad: Sizes,
    dilation: Sizes,
    group: int,
) -> torch.Tensor:
    """(N, C, H, W) convolved with weights (O, C / group, h, w), and perhaps a bias (O) of x's type."""
    weight = weights.values
    windows = (tuple(weight.shape[2:]), dilation, pad, stride)
    recorded = torch.is_grad_enabled()
    as_matrix = group == 1 and matrix.pays(x, weight, windows)
    by_winograd = group == 1 and winograd.pays(x, weight, windows, kept=weights.keeps(winograd.at_points))
    if not recorded:
        if by_winograd:
            return winograd.correlate(x, weights.made_of(winograd.at_points), bias, pad, weight.shape[2])
        if as_matrix and packed.pays_as_matrix(x):
            return matrix.correlate(x, weights.made_of(packed.matrix), bias, windows)
        settings = (x.dtype, tuple(x.shape), pad, stride, dilation, group)
        if packed.pays(x, weight) and weights.keeps(packed.kernels, *settings):
            return packed.convolve(x, weights.made_of(packed.kernels, *settings), bias, pad, stride, dilation, group)
    if group == 1 and pointwise.pays(x, windows):
        # not where it learns: what a training comes to may not depend on where it was interrupted
        return pointwise.convolve(x, weight, bias, not recorded and weights.recurs(pointwise.convolve, tuple(x.shape)))
    if as_matrix:
        return matrix.convolve(x, weight, bias, windows, weights.room)
    by_tensor_cores = _by_tensor_cores(x)
    weight = weights.made_of(_channels_last if by_tensor_cores else torch.Tensor.to, x.dtype)
    if by_winograd:
        return winograd.convolve(x, weight, bias, pad)
    if recorded and group == 1 and strips.pays(x, stride, dilation):
        return strips.convolve(x, weight, bias, pad)
    if by_tensor_cores or (not recorded and _outweighs(x, weight)):
        x = _channels_last(x, x.dtype)
    return F.conv2d(x, weight, bias, stride, pad, dilation, group)


def _by_tensor_cores(x: torch.Tensor) -> bool:
    """Whether cuDNN multiplies on units that want the channels of a pixel side by side, and else lays them out so."""
    return not plan.PLAIN and not x.is_cpu and (x.dtype == torch.bfloat16 or torch.backends.cudnn.allow_tf32)


def _outweighs(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether a map is so large beside the kernels that oneDNN, too, is faster with channels side by side."""
    return not plan.PLAIN and x.is_cpu and x.numel() >= max(LARGE_MAP, weight.numel())


def _channels_last(values: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return values.to(kind, memory_format=torch.channels_last)
