"""Pooling and SPP in ONNX. Caffe rounds up, and clips the last window to the padded map; `ceil_mode` differs from this,
and between opsets and runtimes. So the padding is explicit here, and the runtimes round down.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue, Size
from caffe.export.registry import converts
from caffe.layer_types.vision.pooling import AVE, LOWEST, MAX, PoolingWindow
from caffe.proto import caffe_pb2

TINY = float(np.finfo(np.float32).tiny)


class _Axis:
    """A window along one axis of a map: how often it fits, and the border that this takes."""

    def __init__(self, g: OnnxGraph, size: Size, window: PoolingWindow, axis: int):
        self.size, self.kernel, self.stride = size, window.kernel[axis], window.stride[axis]
        self.before = window.pad[axis]
        room = size + (2 * self.before - self.kernel)
        self.exact = window.floor or self.stride == 1
        """Whether all windows lie within map and pad."""
        if self.exact:
            self.count, self.after = room // self.stride + 1, g.size(self.before)
            return
        count = (room + (self.stride - 1)) // self.stride + 1
        if any(window.pad):
            count = count.at_most((size + (self.before + self.stride - 1)) // self.stride)
        self.count = count
        self.after = (count * self.stride + (self.kernel - self.stride - self.before) - size).at_least(0)

    @property
    def attribute_will_do(self) -> bool:
        """Whether the border can be an attribute of the pooling: known, and narrower than the window."""
        return self.after.known is not None and max(self.before, self.after.known) < self.kernel

    def divisors(self) -> np.ndarray:
        """How much of each window lies within map and pad, where the size is known."""
        assert self.size.known is not None
        assert self.count.known is not None
        starts = np.arange(self.count.known) * self.stride - self.before
        return np.minimum(starts + self.kernel, self.size.known + self.before) - starts

    def divisors_now(self, g: OnnxGraph) -> str:
        """The same, computed when the model runs: whole numbers, one for each window."""
        zero, one = (g.constant(np.array(number, np.int64), "step") for number in (0, 1))
        numbers = g.add("Range", [zero, g.add("Squeeze", [g.vector([self.count])]), one])
        starts = g.add("Sub", [g.add("Mul", [numbers, g.vector([self.stride])]), g.vector([self.before])])
        ends = g.add("Min", [g.add("Add", [starts, g.vector([self.kernel])]), g.vector([self.size + self.before])])
        return g.add("Sub", [ends, starts])


def _axes(g: OnnxGraph, x: OnnxValue, window: PoolingWindow) -> list[_Axis]:
    return [_Axis(g, g.dim(x, 2 + axis), window, axis) for axis in (0, 1)]


def _slide(g: OnnxGraph, op: str, x: str, axes: list[_Axis], border: float, **settings: Any) -> str:
    """One of ONNX's poolings, over a map with its border."""
    shared = {"kernel_shape": [a.kernel for a in axes], "strides": [a.stride for a in axes], **settings}
    if all(a.attribute_will_do for a in axes):
        pads = [*(a.before for a in axes), *(a.after.known for a in axes)]
        return g.add(op, [x], pads=pads, **shared)
    return g.add(op, [_bordered(g, x, axes, border)], **shared)


def _bordered(g: OnnxGraph, x: str, axes: list[_Axis], value: float) -> str:
    return g.pad(x, 4, {2 + index: (a.before, a.after) for index, a in enumerate(axes)}, value)


def _sums(g: OnnxGraph, x: str, axes: list[_Axis]) -> str:
    """The sum over each window, divided by the whole window's size."""
    return _slide(g, "AveragePool", x, axes, 0.0, count_include_pad=1)


def _average(g: OnnxGraph, x: OnnxValue, axes: list[_Axis]) -> str:
    """The mean over each window: divided by what of it lies within map and pad."""
    y = _sums(g, x.name, axes)
    if all(a.exact for a in axes):
        return y
    if all(a.size.known is not None for a in axes):
        shares = np.outer(*(a.divisors() for a in axes))[None, None] / math.prod(a.kernel for a in axes)
        return y if (shares == 1).all() else g.add("Div", [y, g.constant(shares.astype(np.float32), "shares")])
    rows, columns = (g.real(a.divisors_now(g)) for a in axes)
    rows = g.add("Unsqueeze", [rows, g.constant([1], "axes")])
    area = g.number(math.prod(a.kernel for a in axes))
    return g.add("Div", [y, g.add("Div", [g.add("Mul", [rows, columns]), area])])


def _expected(g: OnnxGraph, x: OnnxValue, axes: list[_Axis]) -> str:
    """Σx² / Σx."""
    area = float(math.prod(a.kernel for a in axes))
    squares, plain = (_sums(g, name, axes) for name in (g.add("Mul", [x.name, x.name]), x.name))
    sums = g.add("Add", [g.add("Mul", [plain, g.number(area)]), g.number(TINY)])
    return g.add("Div", [g.add("Mul", [squares, g.number(area)]), sums])


def _where(g: OnnxGraph, x: OnnxValue, axes: list[_Axis]) -> Sequence[str]:
    """The largest value of each window, and where in its map it lies: y · W + x, −1 where a window sees nothing."""
    rows, columns = axes
    bordered = _bordered(g, x.name, axes, LOWEST)
    kernel, strides = [a.kernel for a in axes], [a.stride for a in axes]
    values, places = g.add_many("MaxPool", [bordered], 2, kernel_shape=kernel, strides=strides)
    height, width = ((a.size + a.before) + a.after for a in axes)
    within = g.add("Mod", [places, g.vector([height * width])])
    row = g.add("Div", [within, g.vector([width])])
    column = g.add("Mod", [within, g.vector([width])])
    row = g.add("Sub", [row, g.vector([rows.before])])
    column = g.add("Sub", [column, g.vector([columns.before])])
    index = g.add("Add", [g.add("Mul", [row, g.vector([columns.size])]), column])
    nothing = g.add("LessOrEqual", [values, g.number(LOWEST)])
    return [values, g.real(g.add("Where", [nothing, g.vector([-1]), index]))]


def _pooled(g: OnnxGraph, x: OnnxValue, window: PoolingWindow, method: int) -> str:
    axes = _axes(g, x, window)
    if method == MAX:
        return _slide(g, "MaxPool", x.name, axes, LOWEST)
    return _average(g, x, axes) if method == AVE else _expected(g, x, axes)


@converts("Pooling")
def pooling(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    _check_phase(layer)
    if layer.covers_map:
        return _global(g, layer, x)
    if layer.tells_where:
        return _where(g, x, _axes(g, x, layer.window))
    return [_pooled(g, x, layer.window, layer.method)]


def _global(g: OnnxGraph, layer: Any, x: OnnxValue) -> Sequence[str]:
    if layer.tells_where:
        height, width = g.dims(x, 2)
        rows = g.reshape(x.name, [*g.dims(x, 0, 2), height * width])
        values, index = g.add_many("TopK", [rows, g.vector([1])], 2, axis=2)
        axes = g.constant([3], "axes")
        return [g.add("Unsqueeze", [values, axes]), g.real(g.add("Unsqueeze", [index, axes]))]
    if layer.method in (MAX, AVE):
        return [g.add("GlobalMaxPool" if layer.method == MAX else "GlobalAveragePool", [x.name])]
    sums = g.add("Add", [g.reduce("ReduceSum", x.name, [2, 3], keep=True), g.number(TINY)])
    return [g.add("Div", [g.reduce("ReduceSumSquare", x.name, [2, 3], keep=True), sums])]


@converts("SPP", fixes="size")
def pyramid(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    _check_phase(layer)
    shape = tuple(size or 1 for size in x.shape)
    levels = [_pooled(g, x, window, layer.method) for window in layer.windows(shape)]
    if layer.height == 1:
        return levels
    return [g.add("Concat", [g.add("Flatten", [y], axis=1) for y in levels], axis=1)]


def _check_phase(layer: Any) -> None:
    assert layer.phase == caffe_pb2.TEST, "nets are exported in phase TEST"
