"""A convolution by 1 × 1 kernels as a product of matrices, which it is: filters × channels by channels × pixels.

oneDNN multiplies them in the layout that they have; F.conv2d on one thread is less than half as fast.

oneDNN compiles code for every number of pixels, and never frees all of its memory: images of 2,000 sizes took a quarter
of a gigabyte. So pixels are padded with zeros to one of few numbers, unless the same number recurs.
"""

from typing import Any

import torch
import torch.nn.functional as F

from caffe.plan.capabilities import Capability, Compared, drawn
from caffe.plan.matrix import Geometry, by_onednn, product


def pays(x: torch.Tensor, geometry: Geometry) -> bool:
    """Whether this is the faster way: one image on a CPU, in float32."""
    kernel, _, pad, stride = geometry
    fits = len(x) == 1 and set(kernel) == set(stride) == {1} and not any(pad)
    return fits and by_onednn(x) and CAPABILITY.works


GRANULE = 16
"""Pixels; a padded number is a multiple of it."""
STEPS = 3
"""A padded number is one of 2 ** STEPS between a power of two and the next: less than an eighth is padding."""


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, recurs: bool = False) -> torch.Tensor:
    """(1, C, H, W) convolved with (O, C, 1, 1), as F.conv2d. recurs: the last image had this size, too."""
    return _Convolve.apply(x, weight, bias, recurs)


def filled_up(pixels: int) -> int:
    """How many pixels so many are padded to."""
    step = max(GRANULE, 1 << max(0, pixels.bit_length() - 1 - STEPS))
    return -(-pixels // step) * step


def _columns(maps: torch.Tensor, recurs: bool) -> torch.Tensor:
    """(1, C, H, W) → (C, pixels), padded with zeros unless the size recurs."""
    columns = maps[0].flatten(1)
    pixels = columns.shape[1]
    return columns if recurs else F.pad(columns, (0, filled_up(pixels) - pixels))


def _maps(columns: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """(C, pixels and padding) → (1, C, H, W), of another map's size."""
    return columns[:, : like.shape[2] * like.shape[3]].reshape(1, -1, *like.shape[2:])


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, recurs: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.recurs = recurs
        y = product(weight.flatten(1), _columns(x, recurs).t())
        if bias is not None:
            y += bias[:, None]
        return _maps(y, x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        x, weight = ctx.saved_tensors
        rows = _columns(grad, ctx.recurs)
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = _maps(product(weight.flatten(1).t(), rows.t()), x)
        if ctx.needs_input_grad[1]:
            to_weight = product(rows, _columns(x, ctx.recurs)).view_as(weight)
        if ctx.needs_input_grad[2]:
            to_bias = rows.sum(1)
        return to_x, to_weight, to_bias, None


def _trial() -> Compared:
    x, weight, bias = drawn(1, 5, 6, 7), drawn(3, 5, 1, 1), drawn(3)
    yield convolve(x, weight, bias), F.conv2d(x, weight, bias)


CAPABILITY = Capability("convolutions by 1 × 1 kernels as products of matrices", _trial)
