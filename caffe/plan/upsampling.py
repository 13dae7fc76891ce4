"""Upsampling by a deconvolution with a fixed kernel, such as FCN's bilinear one, as two products of matrices.

Where every channel has the same kernel, and that is a column times a row, the map can be interpolated along rows and
columns one after the other. A general deconvolution multiplies each channel with all others, by zeros.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from caffe.ops.calls import DeconvolutionCall
from caffe.plan import rows
from caffe.plan.capabilities import Capability, Compared, drawn

COLUMNS_AT_ONCE = 2**12
"""Columns of the top; what a matrix gives to more of them is mostly zeros."""


def pays(c: DeconvolutionCall) -> bool:
    """Whether the kernel is fixed, and a column times a row."""
    plain = set(c.dilation) == {1} and c.group == 1
    return plain and not c.weight.requires_grad and len(prepare(c)) > 0


def prepare(c: DeconvolutionCall) -> torch.Tensor:
    """`factors` of the weights."""
    return c.weights.made_of(factors)


def deconvolve(c: DeconvolutionCall, factors: torch.Tensor) -> torch.Tensor:
    """The deconvolution by a kernel of these factors."""
    y = spread(c.x, factors, c.stride, c.pad)
    return y if c.bias is None else y + c.bias.reshape(-1, 1, 1)


def factors(weight: torch.Tensor) -> torch.Tensor:
    """Column and row, (2, k), of the kernel that (C, C, k, k) applies to each channel; empty if there is no such."""
    channels, outputs, height, width = weight.shape
    kernel = weight[0, 0]
    pivot = int(kernel.abs().argmax())
    column, row = kernel[:, pivot % width], kernel[pivot // width]
    peak = row[pivot % width]
    if channels != outputs or height != width or not peak or not CAPABILITY.works:
        return weight.new_empty(0)
    same = torch.equal(weight, torch.eye(channels, dtype=weight.dtype, device=weight.device)[:, :, None, None] * kernel)
    product = torch.outer(column, row / peak)
    if not same or not torch.allclose(product, kernel, rtol=1e-6, atol=0):
        return weight.new_empty(0)
    return torch.stack([column, row / peak])


def spread(x: torch.Tensor, factors: torch.Tensor, stride: Sequence[int], pad: Sequence[int]) -> torch.Tensor:
    """(N, C, H, W) deconvolved with the kernel that `factors` found."""
    down, across = factors
    return _interpolation(x.shape[2], down, stride[0], pad[0]).t() @ _along_columns(x, across, stride[1], pad[1])


def _along_columns(x: torch.Tensor, factor: torch.Tensor, stride: int, pad: int) -> torch.Tensor:
    """Each row of (N, C, H, W) deconvolved; of wide maps some columns at a time, which see few others."""
    size = len(factor)
    width = (x.shape[3] - 1) * stride + size - 2 * pad
    if width <= COLUMNS_AT_ONCE or size < stride:
        return x @ _interpolation(x.shape[3], factor, stride, pad)
    parts = []
    for first, last in rows.bands(width, COLUMNS_AT_ONCE):
        begin = max(0, -(-(first + pad - size + 1) // stride))
        end = min(x.shape[3], (last - 1 + pad) // stride + 1)
        matrix = _interpolation(end - begin, factor, stride, 0).narrow(1, first + pad - begin * stride, last - first)
        parts.append(x[..., begin:end] @ matrix)
    return torch.cat(parts, dim=3)


def _interpolation(size: int, factor: torch.Tensor, stride: int, pad: int) -> torch.Tensor:
    """(size, size of the top): along one axis, what each position gives to each position of the top."""
    ones = torch.eye(size, dtype=factor.dtype, device=factor.device)
    return F.conv_transpose1d(ones[:, None], factor[None, None], stride=stride, padding=pad)[:, 0]


def _trial() -> Compared:
    x, (column, row), stride, pad = drawn(2, 3, 4, 5), drawn(2, 4), (2, 3), (1, 0)
    weight = torch.zeros(3, 3, 4, 4, dtype=x.dtype, device=x.device)
    weight[range(3), range(3)] = torch.outer(column, row)
    yield spread(x, torch.stack([column, row]), stride, pad), F.conv_transpose2d(x, weight, stride=stride, padding=pad)


CAPABILITY = Capability("fixed deconvolutions as two products of matrices", _trial)
