"""The work of a layer, computed from its shapes: floating-point operations, and bytes between memory and processor.

A multiplication and the addition that follows are two operations. Layers that multiply by weights use each of them once
at every position; of other layers, the operations of the formula are counted, a function such as exp as one. Every blob
and parameter that takes part is read or written once, as wide as the precision has it. So both are what must be done at
least; how a layer does it may take more, or less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from caffe import device
from caffe.blob import Blob
from caffe.layer_types.base import Handling
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
    layer = node.layer
    if layer.traits.handling is Handling.UNTOUCHED:
        return Work()
    touched = _values(node.bottom) + _values(node.top) + _values(layer.blobs)
    return _work(layer.operations(node.bottom, node.top), touched)


def backward(node: Node) -> Work:
    """What its backward does: nothing where the net needs no gradient of it."""
    layer = node.layer
    gradients = [blob for blob, wanted in zip(node.bottom, layer.propagate_down, strict=False) if wanted]
    learned = [blob for blob, wanted in zip(layer.blobs, layer.param_propagate_down, strict=False) if wanted]
    if not node.runs_backward or not (gradients or learned):
        return Work()
    touched = _values(node.top) + _values(gradients) + 2 * _values(learned)
    if layer.traits.handling is Handling.UNTOUCHED:  # what several tops want of one bottom is added up
        return _work(_values(node.top), touched) if len(node.top) > 1 else Work()
    weighted = layer.uses_of_weights(node.bottom, node.top)
    times = bool(gradients) + bool(learned) if weighted else 1
    touched += _values(node.bottom) + _values(layer.blobs)
    return _work(times * layer.operations(node.bottom, node.top), touched)


def _work(operations: int, values: int) -> Work:
    return Work(operations, values * device.factor_type().itemsize)


def _values(blobs: Sequence[Blob]) -> int:
    return sum(blob.count for blob in blobs)
