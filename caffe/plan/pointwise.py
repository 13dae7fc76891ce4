"""A convolution by 1 × 1 kernels as a product of matrices, which it is: filters × channels by channels × pixels.

oneDNN multiplies them as they lie; torch's own way, which it takes on one thread, is less than half as fast.
"""

from typing import Any

import torch
import torch.nn.functional as F

from caffe.plan.capabilities import Pairs, Way, drawn
from caffe.plan.matrix import Windows, by_onednn, product


def pays(x: torch.Tensor, windows: Windows) -> bool:
    """Whether this is the faster way: one image on a CPU, in float32."""
    kernel, _, pad, stride = windows
    fits = len(x) == 1 and set(kernel) == set(stride) == {1} and not any(pad)
    return fits and by_onednn(x) and WAY.works


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """(1, C, H, W) convolved with (O, C, 1, 1), as F.conv2d."""
    return _Convolve.apply(x, weight, bias)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        y = product(weight.flatten(1), x[0].flatten(1).t())
        if bias is not None:
            y += bias[:, None]
        return y.view(1, -1, *x.shape[2:])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        x, weight = ctx.saved_tensors
        rows = grad[0].flatten(1)
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = product(weight.flatten(1).t(), rows.t()).view_as(x)
        if ctx.needs_input_grad[1]:
            to_weight = product(rows, x[0].flatten(1)).view_as(weight)
        if ctx.needs_input_grad[2]:
            to_bias = rows.sum(1)
        return to_x, to_weight, to_bias


def _trial() -> Pairs:
    x, weight, bias = drawn(1, 5, 6, 7), drawn(3, 5, 1, 1), drawn(3)
    yield convolve(x, weight, bias), F.conv2d(x, weight, bias)


WAY = Way("convolutions by 1 × 1 kernels as products of matrices", _trial)
