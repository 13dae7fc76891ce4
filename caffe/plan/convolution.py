"""The fastest way to compute a convolution of images: the one place that chooses."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from caffe.plan import matrix, packed, pointwise, strips, winograd
from caffe.plan.matrix import Sizes

LARGE_MAP = 2**16
"""Values; below it, laying them out takes longer than the convolution."""
MadeOf = Callable[..., torch.Tensor]


def convolve(
    x: torch.Tensor,
    params: list[torch.Tensor],
    made_of: MadeOf,
    stride: Sizes,
    pad: Sizes,
    dilation: Sizes,
    group: int,
    *,
    kept: bool,
) -> torch.Tensor:
    """(N, C, H, W) convolved with `params`, weights (O, C / group, h, w) and perhaps a bias (O).

    made_of(function, …): what a function makes of the weights; `kept` if it makes it once for many passes.
    """
    weight, bias = params[0], params[1].to(x.dtype) if len(params) > 1 else None
    windows = (tuple(weight.shape[2:]), dilation, pad, stride)
    recorded = torch.is_grad_enabled()
    as_matrix = group == 1 and matrix.pays(x, weight, windows)
    by_winograd = group == 1 and winograd.pays(x, weight, windows, kept=kept)
    if packed.pays(x) and not recorded:
        if as_matrix:
            return matrix.correlate(x, made_of(packed.matrix), bias, windows)
        kernels = made_of(packed.kernels, pad, stride, dilation, group)
        return packed.convolve(x, kernels, bias, pad, stride, dilation, group)
    if group == 1 and pointwise.pays(x, windows):
        return pointwise.convolve(x, weight, bias)
    if by_winograd and not recorded:
        return winograd.correlate(x, made_of(winograd.at_points), bias, pad, weight.shape[2])
    weight = made_of(torch.Tensor.to, x.dtype)
    if as_matrix:
        return matrix.convolve(x, weight, bias, windows)
    if by_winograd:
        return winograd.convolve(x, weight, bias, pad)
    if recorded and group == 1 and strips.pays(x, stride, dilation):
        return strips.convolve(x, weight, bias, pad)
    if not recorded and _channels_go_last(x, weight):
        x = x.contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, weight, bias, stride, pad, dilation, group)


def _channels_go_last(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether oneDNN is faster where the channels of a pixel lie side by side: on a map that outweighs the kernels."""
    return matrix.by_onednn(x) and x.numel() >= max(LARGE_MAP, weight.numel())
