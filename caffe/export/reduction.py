"""ArgMax, Eltwise and Reduction in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import converts
from caffe.proto import caffe_pb2


@converts("Eltwise")
def eltwise(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    kinds = caffe_pb2.EltwiseParameter
    names = [x.name for x in bottoms]
    if layer.operation == kinds.SUM:
        pairs = zip(names, layer.coefficients, strict=True)
        names = [name if factor == 1 else g.add("Mul", [name, g.number(factor)]) for name, factor in pairs]
    op = {kinds.SUM: "Add", kinds.PROD: "Mul", kinds.MAX: "Max"}[layer.operation]
    total, *others = names
    for name in others:
        total = g.add(op, [total, name])
    return [total]


@converts("Reduction")
def reduction(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    kinds = caffe_pb2.ReductionParameter
    ops = {kinds.SUM: "ReduceSum", kinds.ASUM: "ReduceL1", kinds.SUMSQ: "ReduceSumSquare", kinds.MEAN: "ReduceMean"}
    axes = list(range(layer.axis, len(x.shape)))
    y = g.reduce(ops[layer.operation], x.name, axes, keep=False)
    return [y if layer.coeff == 1 else g.add("Mul", [y, g.number(layer.coeff)])]


@converts("ArgMax")
def arg_max(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """TopK of the reversed axis: of equal values Caffe takes the later one, ONNX the earlier."""
    (x,) = bottoms
    if layer.has_axis:
        name, axis, length = x.name, layer.axis, g.dim(x, layer.axis)
    else:
        length = g.product(g.dims(x, 1))
        name, axis = g.reshape(x.name, [g.dim(x, 0), length]), 1
    if layer.top_k == 1 and not layer.out_max_val:
        index = g.add("ArgMax", [name], axis=axis, keepdims=1, select_last_index=1)
        return [_shaped(g, layer, g.real(index), x)]
    ends = [g.constant([number], "ends") for number in (-1, np.iinfo(np.int64).min)]
    reverse = g.add("Slice", [name, *ends, g.constant([axis], "axes"), g.constant([-1], "steps")])
    values, index = g.add_many("TopK", [reverse, g.vector([layer.top_k])], 2, axis=axis)
    places = g.real(g.add("Sub", [g.vector([length - 1]), index]))
    if layer.has_axis:
        return [values if layer.out_max_val else places]
    if layer.out_max_val:
        middle = g.constant([1], "axes")
        both = [g.add("Unsqueeze", [each, middle]) for each in (places, values)]
        return [_shaped(g, layer, g.add("Concat", both, axis=1), x)]
    return [_shaped(g, layer, places, x)]


def _shaped(g: OnnxGraph, layer: Any, name: str, x: OnnxValue) -> str:
    if layer.has_axis:
        return name
    shape = [2 if layer.out_max_val else 1, layer.top_k, *[1] * (len(x.shape) - 3)]
    return g.reshape(name, [g.dim(x, 0), *shape])
