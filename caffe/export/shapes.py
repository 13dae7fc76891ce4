"""Layers that join, cut, repeat and rearrange in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue, Size
from caffe.export.registry import converts


@converts("Split")
def split(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """The same value under several names: no node."""
    return [bottoms[0].name] * len(tops)


@converts("Silence")
def silence(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return []


@converts("Concat")
def concat(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return [g.add("Concat", [x.name for x in bottoms], axis=layer.axis)]


@converts("Slice")
def cut(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    whole, sizes = g.dim(x, layer.axis), list[Size | int](layer.sizes)
    if len(tops) == 1:
        return [g.add("Identity", [x.name])]
    if whole.known is None:
        sizes = [whole // len(tops)] * len(tops)
        if layer.points:
            bounds = [g.size(0), *map(g.size, layer.points), whole]
            sizes = [end - begin for begin, end in zip(bounds, bounds[1:], strict=False)]
    return g.add_many("Split", [x.name, g.vector(sizes)], len(tops), axis=layer.axis)


@converts("Flatten")
def flatten(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    param, axes = layer.layer_param.flatten_param, len(x.shape)
    first, last = param.axis % axes, param.end_axis % axes
    joined = g.product(g.dims(x, first, last + 1))
    return [g.reshape(x.name, [*g.dims(x, 0, first), joined, *g.dims(x, last + 1)])]


@converts("Reshape")
def reshape(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    axes = len(x.shape)
    first = layer.axis if layer.axis >= 0 else axes + layer.axis + 1
    last = axes if layer.num_axes == -1 else first + layer.num_axes
    known = tops[0].shape[first:]
    new: list[Size | int] = []
    for index, dim in enumerate(layer.dims):
        size = known[index]
        new.append(g.dim(x, first + index) if dim == 0 else size if dim == -1 and size is not None else dim)
    return [g.reshape(x.name, [*g.dims(x, 0, first), *new, *g.dims(x, last)])]


@converts("Tile")
def tile(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return [g.add("Tile", [bottoms[0].name, g.constant(np.array(layer.repeats, np.int64), "repeats")])]


@converts("BatchReindex")
def batch_reindex(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return [g.add("Gather", [bottoms[0].name, g.whole(bottoms[1].name)], axis=0)]


@converts("Filter")
def keep_marked(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    *items, selector = bottoms
    marked = g.add("Cast", [g.reshape(selector.name, [g.dim(selector, 0)])], to=9)
    return [g.add("Compress", [x.name, marked], axis=0) for x in items]


@converts("Permute")
def permute(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return [g.add("Transpose", [bottoms[0].name], perm=list(layer.order))]
