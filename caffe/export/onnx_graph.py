"""An ONNX graph while it is built: nodes, constants, and sizes that are known or computed when the model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

AXES_AS_INPUT = {
    "ReduceSum": 13,
    "ReduceMean": 18,
    "ReduceL1": 18,
    "ReduceL2": 18,
    "ReduceSumSquare": 18,
    "ReduceMax": 18,
}
"""The opset from which a reduction takes its axes as an input, not as an attribute."""


@dataclass(frozen=True)
class OnnxValue:
    """What a blob is called in the graph, and its shape: None where the size depends on the input's.

    present: its shape with the net's present inputs.
    """

    name: str
    shape: tuple[int | None, ...]
    present: tuple[int, ...] = ()


@dataclass
class OnnxOperation:
    """A node of the graph."""

    op: str
    inputs: list[str]
    outputs: list[str]
    name: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Size:
    """A whole number: known, or the name of a tensor of one int64."""

    graph: OnnxGraph
    value: int | str

    @property
    def known(self) -> int | None:
        return self.value if isinstance(self.value, int) else None

    def _with(self, op: str, other: Size | int, known: int | None) -> Size:
        if known is not None:
            return Size(self.graph, known)
        return Size(self.graph, self.graph.add(op, [self.graph.vector([self]), self.graph.vector([other])]))

    def __add__(self, other: Size | int) -> Size:
        a, b = self.known, _known(other)
        return self if b == 0 else self._with("Add", other, None if a is None or b is None else a + b)

    def __sub__(self, other: Size | int) -> Size:
        a, b = self.known, _known(other)
        return self if b == 0 else self._with("Sub", other, None if a is None or b is None else a - b)

    def __mul__(self, other: Size | int) -> Size:
        a, b = self.known, _known(other)
        return self if b == 1 else self._with("Mul", other, None if a is None or b is None else a * b)

    def __floordiv__(self, other: Size | int) -> Size:
        """Of numbers that are not negative."""
        a, b = self.known, _known(other)
        return self if b == 1 else self._with("Div", other, None if a is None or b is None else a // b)

    def at_least(self, other: Size | int) -> Size:
        a, b = self.known, _known(other)
        return self._with("Max", other, None if a is None or b is None else max(a, b))

    def at_most(self, other: Size | int) -> Size:
        a, b = self.known, _known(other)
        return self._with("Min", other, None if a is None or b is None else min(a, b))


def _known(size: Size | int) -> int | None:
    return size if isinstance(size, int) else size.known


@dataclass
class OnnxGraph:
    """Nodes in order, and constants by name. kind: the type of all real numbers, float32 or float16."""

    opset: int
    kind: type[np.floating[Any]] = np.float32
    operations: list[OnnxOperation] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    prefix: str = ""
    """The name of the layer that is being converted."""
    _names: set[str] = field(default_factory=set)
    _shapes: dict[str, str] = field(default_factory=dict)
    _dims: dict[tuple[str, int], Size] = field(default_factory=dict)

    def reserve(self, name: str) -> str:
        """An unused name: this one, or with a number after it."""
        candidate, number = name, 1
        while candidate in self._names:
            number += 1
            candidate = f"{name}_{number}"
        self._names.add(candidate)
        return candidate

    def constant(self, values: Any, what: str = "constant") -> str:
        """A tensor of numbers that are known now; real ones get the graph's type. what: a word for its name."""
        array = np.asarray(values)
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array = array.astype(self.kind)
        elif array.dtype.kind in "iu":
            array = array.astype(np.int64)
        name = self.reserve(f"{self.prefix}.{what}" if self.prefix else what)
        self.constants[name] = np.ascontiguousarray(array) if array.ndim else array
        return name

    def number(self, value: float) -> str:
        """A constant of no axis."""
        return self.constant(np.float32(value))

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A node with one output; the output's name."""
        return self.add_many(op, inputs, 1, **attributes)[0]

    def add_many(self, op: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """A node with several outputs; their names."""
        name = self.reserve(f"{self.prefix}/{op}" if self.prefix else op)
        outputs = [name] if count == 1 else [self.reserve(f"{name}:{index}") for index in range(count)]
        self.operations.append(OnnxOperation(op, list(inputs), outputs, name, attributes))
        return outputs

    def reduce(self, op: str, x: str, axes: Sequence[int], *, keep: bool) -> str:
        """A reduction over some axes, in the form of the opset."""
        if self.opset >= AXES_AS_INPUT[op]:
            return self.add(op, [x, self.constant(list(axes), "axes")], keepdims=int(keep))
        return self.add(op, [x], axes=list(axes), keepdims=int(keep))

    def real(self, x: str) -> str:
        """Whole numbers as real ones."""
        return self.add("Cast", [x], to=10 if self.kind is np.float16 else 1)

    def whole(self, x: str) -> str:
        """Real numbers, cut to whole ones."""
        return self.add("Cast", [x], to=7)

    def size(self, value: int) -> Size:
        return Size(self, value)

    def dim(self, x: OnnxValue, axis: int) -> Size:
        """The size of a blob along one axis."""
        known = x.shape[axis]
        if known is not None:
            return Size(self, known)
        if (x.name, axis) not in self._dims:
            if x.name not in self._shapes:
                self._shapes[x.name] = self.add("Shape", [x.name])
            index = self.constant([axis], "axis")
            self._dims[x.name, axis] = Size(self, self.add("Gather", [self._shapes[x.name], index], axis=0))
        return self._dims[x.name, axis]

    def dims(self, x: OnnxValue, first: int = 0, last: int | None = None) -> list[Size]:
        """The sizes along the axes from `first` to before `last`."""
        return [self.dim(x, axis) for axis in range(*slice(first, last).indices(len(x.shape)))]

    def product(self, sizes: Sequence[Size]) -> Size:
        result = self.size(1)
        for size in sizes:
            result = size * result if result.known == 1 else result * size
        return result

    def vector(self, sizes: Sequence[Size | int]) -> str:
        """A tensor of whole numbers, such as a shape."""
        numbers = [_known(size) for size in sizes]
        if None not in numbers:
            return self.constant(np.array(numbers, np.int64), "sizes")
        parts: list[str] = []
        waiting: list[int] = []
        for size, number in zip(sizes, numbers, strict=True):
            if number is not None:
                waiting.append(number)
                continue
            if waiting:
                parts.append(self.constant(np.array(waiting, np.int64), "sizes"))
                waiting = []
            assert isinstance(size, Size)
            parts.append(str(size.value))
        if waiting:
            parts.append(self.constant(np.array(waiting, np.int64), "sizes"))
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=0)

    def reshape(self, x: str, sizes: Sequence[Size | int]) -> str:
        """The same numbers in another shape. Of sizes that are not known now, a single one is left to the reader."""
        unknown = [index for index, size in enumerate(sizes) if _known(size) is None]
        zero = any(_known(size) == 0 for size in sizes)
        if len(unknown) == 1 and not zero and all(_known(size) != -1 for size in sizes):
            sizes = [-1 if index == unknown[0] else size for index, size in enumerate(sizes)]
        return self.add("Reshape", [x, self.vector(sizes)], **({"allowzero": 1} if zero and self.opset >= 14 else {}))

    def pad(
        self, x: OnnxValue | str, axes: int, margins: dict[int, tuple[Size | int, Size | int]], value: float
    ) -> str:
        """With a border before and after, by axis."""
        name = x if isinstance(x, str) else x.name
        zero: tuple[Size | int, Size | int] = (0, 0)
        both = [margins.get(axis, zero) for axis in range(axes)]
        if all(_known(size) == 0 for pair in both for size in pair):
            return name
        pads = self.vector([before for before, _ in both] + [after for _, after in both])
        return self.add("Pad", [name, pads, self.number(value)])

    def rename(self, old: str, new: str, since: int) -> None:
        """Call an output of one of the nodes from number `since` on otherwise."""
        for operation in self.operations[since:]:
            operation.inputs = [new if name == old else name for name in operation.inputs]
            operation.outputs = [new if name == old else name for name in operation.outputs]
        for (name, axis), size in list(self._dims.items()):
            if name == old:
                self._dims[new, axis] = size
        if old in self._shapes:
            self._shapes[new] = self._shapes[old]
