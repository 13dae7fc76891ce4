"""How much work a layer is, from its shapes alone: floating-point operations, and bytes between memory and processor.

A multiplication and the addition that follows are two operations. Layers that multiply by weights use each of them once
at every position; of other layers, the operations of the formula are counted, a function such as exp as one. Every blob
and parameter that takes part is read or written once, as wide as the precision has it. So both are what must be done at
least; how a layer does it may take more, or less.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from caffe import device
from caffe.blob import Blob
from caffe.net.graph import Node


@dataclass(frozen=True)
class Work:
    operations: int = 0
    bytes: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.operations + other.operations, self.bytes + other.bytes)

    def seconds(self, operations_per_second: float, bytes_per_second: float) -> float:
        """The least time on a machine of these peaks."""
        return max(self.operations / operations_per_second, self.bytes / bytes_per_second)


def forward(node: Node) -> Work:
    """What the layer's forward does, with its blobs' present shapes."""
    if node.layer.type in _HANDS_ON:
        return Work()
    touched = _values(node.bottom) + _values(node.top) + _values(node.layer.blobs)
    return Work(_operations(node), touched * device.factor_type().itemsize)


def backward(node: Node) -> Work:
    """What its backward does: nothing where the net needs no gradient of it."""
    layer = node.layer
    gradients = [blob for blob, wanted in zip(node.bottom, layer.propagate_down, strict=False) if wanted]
    learned = [blob for blob, wanted in zip(layer.blobs, layer.param_propagate_down, strict=False) if wanted]
    if not node.runs_backward or not (gradients or learned):
        return Work()
    if layer.type in _HANDS_ON - {"Split"}:
        return Work()
    weighted = layer.type in _POSITIONS
    times = bool(gradients) + bool(learned) if weighted else 1
    touched = _values(node.top) + _values(gradients) + 2 * _values(learned)
    if layer.type != "Split":
        touched += _values(node.bottom) + _values(layer.blobs)
    return Work(times * _operations(node), touched * device.factor_type().itemsize)


def _values(blobs: list[Blob]) -> int:
    return sum(blob.count for blob in blobs)


def _operations(node: Node) -> int:
    positions = _POSITIONS.get(node.layer.type)
    if positions is not None:
        return 2 * positions(node) * sum(blob.count for blob in node.layer.blobs if len(blob.shape) > 1)
    each = _PER_VALUE.get(node.layer.type)
    return (each(node) if each else 1) * _values(node.top)


_POSITIONS: dict[str, Callable[[Node], int]] = {
    "Convolution": lambda node: _values(node.top) // node.layer.blobs[0].shape[0],
    "Deconvolution": lambda node: _values(node.bottom) // node.layer.blobs[0].shape[0],
    "InnerProduct": lambda node: node.top[0].count // node.layer.layer_param.inner_product_param.num_output,
    "RNN": lambda node: math.prod(node.top[0].shape[:2]),
    "LSTM": lambda node: math.prod(node.top[0].shape[:2]),
}
"""How often a layer uses each weight of its matrices and kernels."""


def _window(node: Node) -> int:
    """The values that a pooling takes together."""
    param = node.layer.layer_param.pooling_param
    if param.global_pooling:
        return math.prod(node.bottom[0].shape[2:])
    return (param.kernel_h or param.kernel_size) * (param.kernel_w or param.kernel_size)


def _neighbours(node: Node) -> int:
    """Those that a local response normalisation squares and adds, and what it does with the sum."""
    param = node.layer.layer_param.lrn_param
    return param.local_size ** (1 + (param.norm_region == param.WITHIN_CHANNEL)) + 4


def _nothing(node: Node) -> int:
    return 0


_PER_VALUE: dict[str, Callable[[Node], int]] = {
    "Pooling": _window,
    "LRN": _neighbours,
    "Softmax": lambda node: 4,
    "SoftmaxWithLoss": lambda node: 4 * node.bottom[0].count // max(1, _values(node.top)),
    "Eltwise": lambda node: max(1, len(node.bottom) - 1),
    "Scale": lambda node: len(node.layer.blobs) or 1,
    "BatchNorm": lambda node: 2,
    **dict.fromkeys(
        ("Data", "DummyData", "HDF5Data", "HDF5Output", "ImageData", "MemoryData", "WindowData", "Python"), _nothing
    ),
    **dict.fromkeys(("BatchReindex", "Concat", "Crop", "Embed", "Filter", "Im2col", "Slice", "Tile"), _nothing),
}
"""The operations for each value of the tops; 1 for a type that is not here."""

_HANDS_ON = frozenset({"Flatten", "Input", "Parameter", "Reshape", "Silence", "Split"})
"""They do nothing with the values (but add them up, in Split's backward)."""
