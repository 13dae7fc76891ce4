"""Convolutions, deconvolutions, Im2col, Crop in ONNX."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue, Size
from caffe.export.registry import NeedsFixedSizes, NotExportable, converts, values_of

OpenShape = tuple[int | None, ...]
MOST_AXES = 3
"""Spatial axes that ONNX Runtime's convolutions take."""


def _without_dilation_0(windows: Any, weights: np.ndarray) -> tuple[Any, np.ndarray]:
    """With dilation 0, all numbers of a kernel fall on one place: their sum is a kernel of size 1."""
    for axis, dilation in enumerate(windows.dilation):
        if dilation == 0:
            weights = weights.sum(axis=2 + axis, keepdims=True)
    settings = zip(windows.kernel, windows.dilation, strict=True)
    kernel, dilation = zip(*((k, d) if d else (1, 1) for k, d in settings), strict=True) if windows.kernel else ((), ())
    return replace(windows, kernel=kernel, dilation=dilation), weights


def _images(g: OnnxGraph, layer: Any, x: OnnxValue) -> tuple[str, list[Size], OpenShape]:
    """A bottom as (N, C, sizes…); the sizes of the axes before the channels; the spatial shape."""
    outer, spatial = g.dims(x, 0, layer.axis), x.shape[layer.axis + 1 :]
    if layer.axis == 1 and spatial:
        return x.name, outer, spatial
    more = [] if spatial else [g.size(1)]
    sizes = [g.product(outer), g.dim(x, layer.axis), *g.dims(x, layer.axis + 1), *more]
    return g.reshape(x.name, sizes), outer, spatial


def _back(g: OnnxGraph, layer: Any, y: str, outer: list[Size], top: OnnxValue) -> str:
    if layer.axis == 1 and len(top.shape) > layer.axis + 1:
        return y
    name = OnnxValue(y, (None, layer.num_output, *top.shape[layer.axis + 1 :]))
    return g.reshape(y, [*outer, g.size(layer.num_output), *g.dims(name, 2)])


def _check_axes(windows: Any) -> None:
    if len(windows.kernel) > MOST_AXES:
        raise NotExportable(
            f"its kernel has {len(windows.kernel)} axes, readers of ONNX convolve along at most {MOST_AXES}"
        )


@converts("Convolution", "Deconvolution", "DepthwiseConvolution", "ConvolutionDepthwise")
def convolution(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """Conv or ConvTranspose, for each pair of bottom and top."""
    _check_axes(layer.windows)
    weights, *bias = values_of(layer)
    windows, weights = _without_dilation_0(layer.windows, weights)
    transposed = weights.shape[0] == layer.channels and layer.type == "Deconvolution"
    flat = not windows.kernel
    constants = [g.constant(weights.reshape(*weights.shape, 1) if flat else weights, "weight")]
    constants += [g.constant(each, "bias") for each in bias]
    names = []
    for x, top in zip(bottoms, tops, strict=True):
        image, outer, spatial = _images(g, layer, x)
        pads = [*windows.pad, *windows.pad]
        if not transposed:
            image, pads = _widened(g, windows, image, x, spatial)
        y = g.add(
            "ConvTranspose" if transposed else "Conv",
            [image, *constants],
            kernel_shape=list(windows.kernel) or [1],
            strides=list(windows.stride) or [1],
            dilations=list(windows.dilation) or [1],
            pads=pads or [0, 0],
            group=layer.group,
        )
        names.append(_back(g, layer, y, outer, top))
    return names


def _widened(g: OnnxGraph, windows: Any, image: str, x: OnnxValue, spatial: OpenShape) -> tuple[str, list[int]]:
    """The image, and its pads. Caffe counts a window once that is less than a stride too large: then there is more
    border behind."""
    present = x.present[len(x.shape) - len(spatial) :]
    if windows.fit(present):
        return image, [*windows.pad, *windows.pad]
    margins: dict[int, tuple[Size | int, Size | int]] = {}
    sizes = g.dims(x, len(x.shape) - len(spatial)) if spatial else []
    for index, (size, extent, pad) in enumerate(zip(sizes, windows.extent, windows.pad, strict=True)):
        margins[2 + index] = (pad, (g.size(extent - pad) - size).at_least(pad))
    return g.pad(image, 2 + len(spatial), margins, 0.0), [0] * (2 * len(spatial))


@converts("Im2col")
def im2col(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """A convolution of each channel with kernels that pick one pixel each."""
    (x,) = bottoms
    windows, axis = layer.windows, layer.axis
    channels = x.shape[axis]
    _check_axes(windows)
    if channels is None:
        raise NeedsFixedSizes
    count = math.prod(windows.kernel)
    picks = np.eye(count, dtype=np.float32).reshape(count, 1, *windows.kernel)
    weights = np.tile(picks, (channels, *[1] * (picks.ndim - 1)))
    windows, weights = _without_dilation_0(windows, weights)
    outer = g.dims(x, 0, axis)
    image = x.name if axis == 1 else g.reshape(x.name, [g.product(outer), *g.dims(x, axis)])
    image, pads = _widened(g, windows, image, x, x.shape[axis + 1 :])
    y = g.add(
        "Conv",
        [image, g.constant(weights, "weight")],
        kernel_shape=list(windows.kernel),
        strides=list(windows.stride),
        dilations=list(windows.dilation),
        pads=pads,
        group=channels,
    )
    if axis == 1:
        return [y]
    return [g.reshape(y, [*outer, *g.dims(OnnxValue(y, (None, *tops[0].shape[axis:])), 1)])]


@converts("Crop", "AutoCrop")
def crop(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """A slice as large as the second bottom."""
    x, like = bottoms
    axes = list(range(layer.axis, len(x.shape)))
    sizes = g.dims(like, layer.axis, len(x.shape))
    ends = [size + offset for size, offset in zip(sizes, layer.offsets, strict=True)]
    starts = g.constant(np.array(layer.offsets, np.int64), "offset")
    return [g.add("Slice", [x.name, starts, g.vector(ends), g.constant(np.array(axes, np.int64), "axes")])]
