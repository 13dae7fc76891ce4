"""ShuffleNet's and SENet's layers in ONNX."""

from collections.abc import Sequence
from typing import Any

from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import converts


@converts("ShuffleChannel")
def shuffle(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    batch, channels, *rest = g.dims(x)
    parts = g.reshape(x.name, [batch, g.size(layer.group), channels // layer.group, *rest])
    order = [0, 2, 1, *range(3, 1 + len(x.shape))]
    return [g.reshape(g.add("Transpose", [parts], perm=order), [batch, channels, *rest])]


@converts("Axpy")
def axpy(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    s, a, b = bottoms
    scale = g.reshape(s.name, [*g.dims(s, 0, 2), *[1] * (len(a.shape) - 2)])
    return [g.add("Add", [g.add("Mul", [scale, a.name]), b.name])]
