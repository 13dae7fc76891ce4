"""A GPU that is none: its tensors lie in the CPU's memory, but torch and the engine see a device of its own.

It computes what a GPU would and refuses what a GPU would refuse: to mix tensors of two devices, to show its memory to
NumPy, to be waited for while it records a graph. So everything that the engine does differently where values lie
elsewhere can be run on any machine; how fast, and whether CUDA agrees, only a GPU tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from caffe import device, switches
from caffe.plan import replay

THERE = torch.device("meta")
"""The one device besides the CPU that every build of torch can differentiate on."""
_aten = torch.ops.aten
_WAITS = (
    _aten._local_scalar_dense.default,
    _aten.bincount.default,
    _aten.equal.default,
    _aten.masked_select.default,
    _aten.nonzero.default,
)
"""The CPU has to wait for the result, or to know how large it is."""


class Resident(torch.Tensor):
    """A tensor on the pretended GPU, around the one in the CPU's memory that holds its values."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Resident:
        resident = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=THERE,
        )
        resident.inner = inner
        return resident

    def data_ptr(self) -> int:
        return self.inner.data_ptr()

    def tolist(self) -> Any:
        return self.inner.tolist()

    def untyped_storage(self) -> Any:
        return self.inner.untyped_storage()

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{function} outside of pretended_gpu()")


class Driver(TorchDispatchMode):
    """Computes on the pretended GPU, notes who waits for it, and records graphs."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self.graphs: list[Graph] = []
        self.recording: Graph | None = None

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _waits(function, args, kwargs):
            self.waits.append(str(function))
            if self.recording:
                raise RuntimeError(f"{function}: operation not permitted when stream is capturing")
        _refuse_two_devices(function, args, kwargs)
        inner = _Call(function, *tree_map(_inner, (args, kwargs)))
        if "device" in kwargs:
            inner.kwargs["device"] = torch.device("cpu")
        result = self.recording.note(inner) if self.recording else inner.run()
        if function is _aten.copy_.default:
            return args[0]
        there = torch.device(kwargs["device"]) == THERE if kwargs.get("device") else bool(_residents((args, kwargs)))
        return _outer(result, (args, kwargs), there=there)

    def record(self, compute: Callable[[], Any], generator: torch.Generator, pool: Any) -> tuple[Graph, Any]:
        """What torch.cuda.graph does: note all operations, without any effect."""
        graph = self.recording = Graph()
        drawn = generator.get_state()
        try:
            result = compute()
        finally:
            self.recording = None
            graph.undo()
            generator.set_state(drawn)
        self.graphs.append(graph)
        return graph, result


class _Call:
    """One operation on tensors in the CPU's memory."""

    def __init__(self, function: Any, args: Any, kwargs: dict[str, Any]):
        self.function, self.args, self.kwargs = function, args, kwargs

    def run(self) -> Any:
        return self.function(*self.args, **self.kwargs)

    def written(self) -> list[torch.Tensor]:
        """The arguments whose values it changes."""
        found: list[torch.Tensor] = []
        for place, argument in enumerate(self.function._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                value = self.args[place] if place < len(self.args) else self.kwargs.get(argument.name)
                found += _tensors(value)
        return found


class Graph:
    """What was computed while it was recorded, to be computed again on the same memory."""

    def __init__(self) -> None:
        self.calls: list[tuple[_Call, Any]] = []
        self.replays = 0
        self._saved: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        """Place of memory that was there before → its bytes, and what they were."""
        self._made: dict[int, torch.Tensor] = {}
        """Place of memory that was taken meanwhile → its bytes."""

    def pool(self) -> tuple[int, int]:
        return (0, id(self))

    def replay(self) -> None:
        self.replays += 1
        for call, results in self.calls:
            for there, now in zip(_tensors(results), _tensors(call.run()), strict=True):
                if there.data_ptr() != now.data_ptr():
                    there.copy_(now)

    def note(self, call: _Call) -> Any:
        """Compute it, but keep the values that it writes over."""
        for memory in map(_memory, call.written()):
            if memory.data_ptr() not in {*self._saved, *self._made}:
                self._saved[memory.data_ptr()] = memory, memory.clone()
        result = call.run()
        given = {_memory(each).data_ptr() for each in _tensors((call.args, call.kwargs))}
        for memory in map(_memory, _tensors(result)):
            if memory.data_ptr() not in given:
                self._made[memory.data_ptr()] = memory
        self.calls.append((call, result))
        return result

    def undo(self) -> None:
        """Nothing was computed: what was there is as before, what is new holds nothing of use."""
        for memory in self._made.values():
            memory.fill_(0xFF)
        for memory, values in self._saved.values():
            memory.copy_(values)


@contextmanager
def pretended_gpu(*, graphs: bool = False) -> Iterator[Driver]:
    """What is built and computed here is on the pretended GPU; `graphs`: as with CAFFE_GRAPHS=1."""
    generator_of = device.generator
    with pytest.MonkeyPatch.context() as patch, Driver() as driver:
        patch.setattr(device, "_device", THERE)
        patch.setattr(device, "mode_is_gpu", lambda: True)
        patch.setattr(device, "generator", lambda where=None: generator_of(torch.device("cpu")))
        patch.setattr(torch.Tensor, "pin_memory", lambda values: values)
        patch.setattr(switches, "GRAPHS", graphs)
        patch.setattr(replay, "record", driver.record)
        yield driver


def _waits(function: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether the CPU waits for the GPU, or reads or writes its memory."""
    if function is _aten.copy_.default:
        return isinstance(args[0], Resident) != isinstance(args[1], Resident)
    if function is _aten._to_copy.default and kwargs.get("device") is not None:
        return args[0].device != torch.device(kwargs["device"])
    if function in (_aten.index.Tensor, _aten.index_put_.default) and _residents(args):
        return any(index.dtype == torch.bool for index in _tensors(args[1]))
    return function in _WAITS and bool(_residents((args, kwargs)))


def _refuse_two_devices(function: Any, args: Any, kwargs: dict[str, Any]) -> None:
    """As CUDA does, which takes single numbers from the CPU alone."""
    if function in (_aten.copy_.default, _aten._to_copy.default) or not _residents((args, kwargs)):
        return
    if any(not isinstance(each, Resident) and each.dim() for each in _tensors((args, kwargs))):
        raise RuntimeError(f"{function}: Expected all tensors to be on the same device")


def _outer(result: Any, arguments: Any, *, there: bool) -> Any:
    """Results as the caller sees them: arguments that were written to as they came."""
    given = {id(_inner(each)): each for each in _tensors(arguments)}

    def outer(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or id(value) in given:
            return given.get(id(value), value)
        return Resident(value) if there else value

    return tree_map(outer, result)


def _memory(tensor: torch.Tensor) -> torch.Tensor:
    """All bytes of which a tensor shows some."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, Resident) else value


def _tensors(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_flatten(values)[0] if isinstance(value, torch.Tensor)]


def _residents(values: Any) -> list[Resident]:
    return [value for value in _tensors(values) if isinstance(value, Resident)]
