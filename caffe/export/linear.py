"""InnerProduct, Embed, Scale, Bias and Parameter in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import NeedsFixedSizes, converts, values_of
from caffe.layer_types.helpers.axes import canonical


@converts("InnerProduct")
def inner_product(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    weight, *bias = values_of(layer)
    constants = [g.constant(weight, "weight"), *(g.constant(each, "bias") for each in bias)]
    if layer.axis == 1:
        flat = x.name if len(x.shape) == 2 else g.add("Flatten", [x.name], axis=1)
        return [g.add("Gemm", [flat, *constants], transB=0 if layer.transpose else 1)]
    outer = g.dims(x, 0, layer.axis)
    flat = g.reshape(x.name, [g.product(outer), g.size(layer.inputs)])
    y = g.add("Gemm", [flat, *constants], transB=0 if layer.transpose else 1)
    return [g.reshape(y, [*outer, g.size(layer.num_output)])]


@converts("Embed")
def embed(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    weight, *bias = values_of(layer)
    y = g.add("Gather", [g.constant(weight, "weight"), g.whole(bottoms[0].name)], axis=0)
    return [g.add("Add", [y, g.constant(bias[0], "bias")]) if bias else y]


@converts("Scale", "Bias")
def scale_or_bias(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """A factor or summand that is a constant, or the second bottom, with axes of size 1 around it."""
    x, learned = bottoms[0], values_of(layer)
    op = "Mul" if layer.type == "Scale" else "Add"
    axes = len(x.shape)

    def around(count: int) -> tuple[list[int], list[int]]:
        first = canonical(layer.axis, tuple(size or 1 for size in x.shape), layer) if count else 0
        return [1] * first, [1] * (axes - first - count)

    def fitted(values: np.ndarray) -> str:
        before, after = around(values.ndim)
        return g.constant(values.reshape(*before, *values.shape, *after), word)

    if len(bottoms) > 1:
        before, after = around(len(bottoms[1].shape))
        other = g.reshape(bottoms[1].name, [*before, *g.dims(bottoms[1]), *after])
    else:
        word = "scale" if op == "Mul" else "bias"
        other = fitted(learned.pop(0))
    y = g.add(op, [x.name, other])
    for values in learned:
        word = "bias"
        first = len(around(values.ndim)[0])
        if None in x.shape[first : first + values.ndim]:
            raise NeedsFixedSizes
        y = g.add("Add", [y, fitted(values)])
    return [y]


@converts("Parameter")
def parameter(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return [g.add("Identity", [g.constant(values_of(layer)[0], "value")])]
