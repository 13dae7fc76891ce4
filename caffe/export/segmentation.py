"""Interp, Upsample, Unpooling and BN in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.normalization import by_batch, by_channel
from caffe.export.onnx_graph import OnnxGraph, OnnxValue, Size
from caffe.export.registry import NotExportable, converts, values_of
from caffe.forks.unpooling import MAX


@converts("Interp")
def interp(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    x = bottoms[0]
    begin, end = layer.cut
    inner = [size - (begin + end) for size in g.dims(x, 2)]
    name = x.name
    if begin or end:
        ends = [size - end for size in g.dims(x, 2)]
        name = g.add("Slice", [name, g.vector([begin, begin]), g.vector(ends), g.constant([2, 3], "axes")])
    sizes = _sizes(g, layer, inner, bottoms)
    return [
        g.add(
            "Resize",
            [name, "", "", g.vector([*g.dims(x, 0, 2), *sizes])],
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )
    ]


def _sizes(g: OnnxGraph, layer: Any, inner: list[Size], bottoms: list[OnnxValue]) -> list[Size]:
    """As Interp.size, of sizes that may not be known yet."""
    param = layer.given
    zooms, shrinks = param.HasField("zoom_factor"), param.HasField("shrink_factor")
    if not zooms and not shrinks:
        if param.HasField("height") and param.HasField("width"):
            return [g.size(param.height), g.size(param.width)]
        return g.dims(bottoms[1], 2)
    sizes = [(size - 1) // param.shrink_factor + 1 if shrinks else size for size in inner]
    return [size + (size - 1) * (param.zoom_factor - 1) for size in sizes] if zooms else sizes


@converts("Upsample")
def upsample(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    x = bottoms[0]
    if len(bottoms) == 1:
        factors = np.array([1, 1, *layer.scales], np.float32)
        scales = g.reserve(f"{g.prefix}.scales")
        g.constants[scales] = factors
        settings = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return [g.add("Resize", [x.name, "", scales], mode="nearest", **settings)]
    rows, columns = g.dims(x, 2)
    height, width = map(g.size, layer.wanted) if layer.wanted else _upsampled(layer, rows, columns)
    return [_placed(g, bottoms, height, width)]


@converts("Padding")
def padding(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    sides = (layer.begin, layer.end)
    if min(sides) >= 0:
        return [g.pad(x, 4, {2: sides, 3: sides}, 0)]
    starts, ends = (g.constant([number] * 2, "sides") for number in (-layer.begin, layer.end or 2**31 - 1))
    return [g.add("Slice", [x.name, starts, ends, g.constant([2, 3], "axes")])]


@converts("Unpooling", fixes="size")
def unpooling(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    if layer.method != MAX or len(bottoms) != 2:
        raise NotExportable("it unpools without a mask, or not by MAX, for which caffe export has no ONNX operators")
    return [_placed(g, bottoms, *map(g.size, layer.sizes))]


def _placed(g: OnnxGraph, bottoms: list[OnnxValue], height: Size, width: Size) -> str:
    """Zeros, with the values of the first bottom where the second one says."""
    batch, channels, rows, columns = g.dims(bottoms[0])
    zeros = g.add("ConstantOfShape", [g.vector([batch, channels, height * width])], value=np.zeros(1, g.kind))
    flat = [g.reshape(each.name, [batch, channels, rows * columns]) for each in bottoms]
    placed = g.add("ScatterElements", [zeros, g.whole(flat[1]), flat[0]], axis=2)
    return g.reshape(placed, [batch, channels, height, width])


def _upsampled(layer: Any, rows: Size, columns: Size) -> list[Size]:
    sides = zip((rows, columns), layer.scales, layer.less, strict=True)
    return [size * int(scale) - int(less) for size, scale, less in sides]


@converts("BN")
def bn(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    scale, shift, *statistics = (values.reshape(-1) for values in values_of(layer))
    if statistics and not layer.by_batch:
        names = [g.constant(values, word) for values, word in zip((scale, shift), ("scale", "bias"), strict=True)]
        names += [g.constant(values, word) for values, word in zip(statistics, ("mean", "variance"), strict=True)]
        return [g.add("BatchNormalization", [x.name, *names], epsilon=float(layer.eps))]
    y = x.name if layer.folded else by_batch(g, x.name, [0, 2, 3], layer.eps)
    y = g.add("Mul", [y, g.constant(by_channel(scale, 4), "scale")])
    return [g.add("Add", [y, g.constant(by_channel(shift, 4), "bias")])]
