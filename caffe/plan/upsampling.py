"""Upsampling by a deconvolution with a fixed kernel, such as FCN's bilinear one, as two products of matrices.

Where every channel has the same kernel, and that is a column times a row, the map can be interpolated along rows and
columns one after the other. A general deconvolution multiplies each channel with all others, by zeros.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from caffe.ops.calls import DeconvolutionCall
from caffe.plan.capabilities import Capability, Compared, drawn


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
    rows, columns = map(_interpolation, x.shape[2:], factors, stride, pad)
    return rows.t() @ (x @ columns)


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
