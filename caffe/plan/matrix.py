"""A convolution at few positions (fc6 made convolutional, say) as a product of matrices.

Reading the weights of such a layer takes longer than multiplying by them. For a convolution, torch reorders all of them
in every pass; a matrix is multiplied in the layout that it has. On a CPU, float32 matrices are multiplied by oneDNN:
MKL is less than half as fast on processors that are not Intel's.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from caffe.ops.calls import Sizes
from caffe.plan.capabilities import Capability, Compared, drawn

Geometry = tuple[Sizes, Sizes, Sizes, Sizes]
"""Kernel, dilation, pad and stride."""
Room = Callable[[], torch.Tensor | None]

MIN_INPUTS = 1024
"""Weights of one filter; with fewer, F.conv2d is faster (benchmarks/ways.py)."""
ROWS_AT_ONCE = 512
"""Rows of the weights' gradient that are computed together."""


def by_onednn(x: torch.Tensor) -> bool:
    """Whether oneDNN multiplies such a tensor here: float32, on a CPU."""
    return x.is_cpu and x.dtype == torch.float32 and ONEDNN.works


def pays(x: torch.Tensor, weight: torch.Tensor, geometry: Geometry) -> bool:
    """Whether this is faster than F.conv2d: on a CPU, with long filters, at no more positions than filters."""
    filters = weight.shape[0]
    if not x.is_cpu or weight.numel() < MIN_INPUTS * filters:
        return False
    few = x.shape[0] * math.prod(positions(x, geometry)) <= filters
    return few and CAPABILITY.works


def convolve(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, room: Room = lambda: None
) -> torch.Tensor:
    """(N, C, H, W) convolved with (O, C, h, w), as F.conv2d; weights of another type are made x's.

    room(): in the backward pass, memory for the weights' gradient, or None; of another size, it is not used.
    """
    return _Convolve.apply(x, weight, bias, geometry, room)


def correlate(x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry) -> torch.Tensor:
    """`convolve` without a gradient, with the weights as a matrix (O, C · h · w), which may be packed."""
    rows = product(F.unfold(x, *geometry).transpose(1, 2).flatten(0, 1), matrix, bias)
    return rows.unflatten(0, (len(x), -1)).transpose(1, 2).reshape(len(x), len(matrix), *positions(x, geometry))


def positions(x: torch.Tensor, geometry: Geometry) -> list[int]:
    """Rows and columns of the top."""
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(x.shape[2:], *geometry, strict=True)]


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, geometry: Geometry, room: Room
    ) -> Any:
        matrix = weight.flatten(1).to(x.dtype)
        ctx.save_for_backward(x, matrix)
        ctx.leaf, ctx.geometry, ctx.room = weight, geometry, room
        return correlate(x, matrix, bias, geometry)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        x, matrix = ctx.saved_tensors
        rows = grad.flatten(2).transpose(1, 2).flatten(0, 1)
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            patches = product(rows, matrix.t()).unflatten(0, (len(x), -1)).transpose(1, 2)
            to_x = F.fold(patches, x.shape[2:], *ctx.geometry)
        if ctx.needs_input_grad[1]:
            patches = F.unfold(x, *ctx.geometry).transpose(0, 1).flatten(1)
            to_weight = _into(ctx.room(), rows.t(), patches, ctx.leaf)
        if ctx.needs_input_grad[2]:
            to_bias = rows.sum(0)
        return to_x, to_weight, to_bias, None, None


def _into(room: torch.Tensor | None, a: torch.Tensor, b: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """a · bᵀ in the shape and type of another tensor; written into `room`, if that has the right size."""
    if room is None or room.numel() != like.numel():
        return product(a, b).view_as(like).to(like.dtype)
    for rows, values in zip(room.view(len(a), -1).split(ROWS_AT_ONCE), a.split(ROWS_AT_ONCE), strict=True):
        rows.copy_(product(values, b))
    return room.view_as(like)


def product(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """a · bᵀ + bias, of (M, K) and (N, K)."""
    if a.is_cpu and (b.is_mkldnn or (a.dtype == torch.float32 and ONEDNN.works)):
        return by_linear_pointwise(a, b, bias)
    return F.linear(a, b, bias)


def by_linear_pointwise(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`product` by oneDNN, whatever works here; b may be packed."""
    return torch.ops.mkldnn._linear_pointwise(a.contiguous(), b, bias, "none", [], "")


def _trial_of_products() -> Compared:
    a, b, turned, bias = drawn(20, 70), drawn(33, 70), drawn(70, 33).t(), drawn(33)
    for matrix in (b, turned):
        yield by_linear_pointwise(a, matrix, bias), F.linear(a, matrix, bias)
        yield by_linear_pointwise(a[:1], matrix, None), F.linear(a[:1], matrix)


def _trial() -> Compared:
    kernel, dilation, pad, stride = geometry = ((4, 3), (1, 2), (1, 0), (2, 1))
    x, weight, bias = drawn(2, 3, 6, 7), drawn(5, 3, *kernel), drawn(5)
    yield convolve(x, weight, bias, geometry), F.conv2d(x, weight, bias, stride, pad, dilation)


ONEDNN = Capability("oneDNN's products of float32 matrices", _trial_of_products)
CAPABILITY = Capability("convolutions at few positions as products of matrices", _trial)
