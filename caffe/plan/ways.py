"""The ways to compute operations: an ordered table for each, of which the first that pays is taken.

The last row of each table is torch's own function (caffe/ops/functions.py); with CAFFE_PLAN=plain it is the only one.
What this machine and this torch cannot do never pays (capabilities.py).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F

from caffe.ops import functions, wide_strides
from caffe.ops.calls import ChannelMean, ConvolutionCall, DeconvolutionCall, MaxPooling, ReluGradient
from caffe.ops.operation import Operation, Way
from caffe.plan import first_pad, matrix, neighbours, packed, pooling, relu, side_by_side, strips, upsampling, winograd
from caffe.plan.matrix import Geometry

LARGE_MAP = 2**22
"""Values; F.conv2d computes such a map, too, with the channels of a pixel side by side, and then has it twice."""


def geometry(c: ConvolutionCall) -> Geometry:
    """What the positions of a convolution see."""
    return tuple(c.weight.shape[2:]), c.dilation, c.pad, c.stride


def _layout(c: ConvolutionCall) -> tuple[object, ...]:
    """What the layout of packed kernels depends on."""
    return c.x.dtype, tuple(c.x.shape), c.pad, c.stride, c.dilation, c.group


def _same_type(c: ConvolutionCall) -> torch.Tensor:
    return c.weights.of_type(c.x.dtype)


def _winograd_pays(c: ConvolutionCall) -> bool:
    if c.group != 1 or not winograd.fits(c.weight, geometry(c)):
        return False
    return winograd.pays(c.x, c.weight, geometry(c), kept=c.weights.keeps(winograd.transformed))


def _matrix_pays(c: ConvolutionCall) -> bool:
    return c.group == 1 and matrix.pays(c.x, c.weight, geometry(c))


def _packed_kernels_pay(c: ConvolutionCall) -> bool:
    return not c.recorded and packed.pays(c.x, c.weight) and c.weights.keeps(packed.kernels, *_layout(c))


def _tensor_cores_pay(c: ConvolutionCall) -> bool:
    """Whether cuDNN multiplies on units that want the channels of a pixel side by side, and else lays them out so."""
    return not c.x.is_cpu and (c.x.dtype == torch.bfloat16 or torch.backends.cudnn.allow_tf32)


def _side_by_side_pays(c: ConvolutionCall) -> bool:
    """Whether so large a map comes out that oneDNN's rearranging it takes memory that counts, without gradients."""
    if c.recorded or not c.x.is_cpu:
        return False
    return len(c.x) * len(c.weight) * math.prod(matrix.positions(c.x, geometry(c))) >= LARGE_MAP


def _with_channels_last(c: ConvolutionCall, weight: torch.Tensor) -> torch.Tensor:
    return F.conv2d(side_by_side.laid_out(c.x, c.x.dtype), weight, c.bias, c.stride, c.pad, c.dilation, c.group)


CONVOLUTION: tuple[Way[ConvolutionCall], ...] = (
    Way("the first pad made smaller", first_pad.pays, first_pad.convolve),
    Way(
        "strides that are wide beside the map",
        wide_strides.is_wide,
        lambda c: functions.CONV2D(wide_strides.narrowed(c)),
    ),
    Way(
        "Winograd",
        lambda c: not c.recorded and _winograd_pays(c),
        lambda c, kernels: winograd.correlate(c.x, kernels, c.bias, c.pad, c.weight.shape[2]),
        lambda c: c.weights.made_of(winograd.transformed),
    ),
    Way(
        "packed matrix",
        lambda c: not c.recorded and _matrix_pays(c) and packed.pays_as_matrix(c.x),
        lambda c, packed_matrix: matrix.correlate(c.x, packed_matrix, c.bias, geometry(c)),
        lambda c: c.weights.made_of(packed.matrix),
    ),
    Way(
        "packed kernels",
        _packed_kernels_pay,
        lambda c, kernels: packed.convolve(c.x, kernels, c.bias, c.pad, c.stride, c.dilation, c.group),
        lambda c: c.weights.made_of(packed.kernels, *_layout(c)),
    ),
    Way(
        "matrix",
        _matrix_pays,
        lambda c: matrix.convolve(c.x, c.weight, c.bias, geometry(c), c.weights.gradient_memory),
    ),
    Way(
        "gradients by Winograd",
        lambda c: c.recorded and _winograd_pays(c),
        lambda c, weight: winograd.convolve(c.x, weight, c.bias, c.pad),
        _same_type,
    ),
    Way(
        "gradients in strips",
        lambda c: c.recorded and c.group == 1 and strips.pays(c.x, c.stride, c.dilation),
        lambda c, weight: strips.convolve(c.x, weight, c.bias, c.pad),
        _same_type,
    ),
    Way(
        "learning with the channels of a pixel side by side",
        side_by_side.pays,
        side_by_side.convolve,
        side_by_side.kernels,
    ),
    Way(
        "tensor cores",
        _tensor_cores_pay,
        _with_channels_last,
        lambda c: c.weights.made_of(side_by_side.laid_out, c.x.dtype),
    ),
    Way("channels side by side", _side_by_side_pays, _with_channels_last, _same_type),
)

DECONVOLUTION: tuple[Way[DeconvolutionCall], ...] = (
    Way("rows and columns one after the other", upsampling.pays, upsampling.deconvolve, upsampling.prepare),
)

MAX_POOLING: tuple[Way[MaxPooling], ...] = (
    Way("slices", pooling.pays_by_slices, pooling.largest_of_slices),
    Way("a few rows at a time", pooling.pays, pooling.max_pool),
)

CHANNEL_MEAN: tuple[Way[ChannelMean], ...] = (Way("sums of slices", lambda c: True, neighbours.mean),)

RELU_GRADIENT: tuple[Way[ReluGradient], ...] = (
    Way("one pass", lambda c: relu.CAPABILITY.works, lambda c: relu.in_one_pass(c.grad, c.top)),
)

TABLES: tuple[tuple[Operation[Any], tuple[Way[Any], ...]], ...] = (
    (functions.CONV2D, CONVOLUTION),
    (functions.CONV_TRANSPOSE2D, DECONVOLUTION),
    (functions.MAX_POOL2D, MAX_POOLING),
    (functions.CHANNEL_MEAN, CHANNEL_MEAN),
    (functions.RELU_GRADIENT, RELU_GRADIENT),
)


def install() -> None:
    """Put the plan's ways before torch's."""
    for operation, ways in TABLES:
        operation.ways = (*ways, operation.ways[-1])
