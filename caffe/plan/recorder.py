"""What torch computes while layers run, written down as a list of calls that compute it again.

A pass over the same shapes makes the same calls of torch's kernels every time; only the values of some tensors are
others. The recorder sees each call on its way to the kernel, below autograd. So a recorded backward pass has the
formulas that autograd found, and no autograd. Calls that only give memory another shape are not repeated one by one:
what a kernel reads is one view of the memory that another kernel wrote.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from caffe.plan import pool

LOOKING = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
"""Marks of functions whose result, or its shape, Python needs at once."""
CREATED = "aten::lift_fresh"
"""What torch calls for a tensor that Python makes of its own numbers."""


class Slot(NamedTuple):
    """A place for a tensor, which another one takes in every pass."""

    number: int


class InMemory(NamedTuple):
    """How a tensor lies in its memory."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


Layouts = Sequence[tuple[InMemory | None, torch.dtype]]
"""How the tensor of each slot lies in its memory, if not only a library knows, and its dtype."""


@dataclass(frozen=True)
class Call:
    """A call of a function of torch; slots stand for tensors in what it takes, and `gives` has those of its results."""

    function: Callable[..., Any]
    takes: tuple[Any, ...]
    named: dict[str, Any]
    gives: tuple[int | None, ...] = ()
    several: bool = False
    """Whether the result is a sequence."""
    shows_part: bool = False
    """Whether the result is other memory's, in another shape."""
    needed: bool = False
    """It writes into memory, or draws random numbers: it counts, though nobody takes its results."""

    def slots(self) -> set[int]:
        """Those that it takes."""
        return set(slots_in((self.takes, tuple(self.named.values()))))


def slots_in(structure: Any) -> Iterable[int]:
    """The slots in tuples and lists of anything, in order."""
    if isinstance(structure, Slot):
        yield structure.number
    elif isinstance(structure, (tuple, list)):
        for part in structure:
            yield from slots_in(part)


@dataclass
class CallRecorder(TorchDispatchMode):
    """While it is entered, calls of torch's kernels are computed and written down.

    lasting: tensors whose memory is the same in every pass, such as parameters, and may be written to. Other tensors
    that no call made must be introduced as inputs, or else count as constants.
    """

    lasting: Sequence[torch.Tensor]
    calls: list[Call] = field(default_factory=list)
    flaw: str = ""
    """Why the calls would not compute the same again; "" if they would."""

    def __post_init__(self) -> None:
        super().__init__()
        self._lasting = {memory_of(values) for values in self.lasting}
        self._slot: dict[object, int] = {}
        """By memory, the slot of the tensor that it was allocated for."""
        self.layouts: list[tuple[InMemory | None, torch.dtype]] = []
        """Of each slot."""
        self._views: dict[tuple[int, InMemory], int] = {}
        self._inputs: dict[int, int] = {}
        """By slot, where in its memory an input began, which is elsewhere in another pass."""
        self._alive: list[Any] = []
        """All tensors met: memory that is freed could be given to another one meanwhile."""
        self.draws = False
        """Whether random numbers are drawn."""
        self.constants: set[object] = set()
        """By memory, tensors that are taken as they are."""

    def input(self, values: torch.Tensor) -> int:
        """The slot of a tensor that a pass begins with, whose memory no call made."""
        memory = memory_of(values)
        if memory not in self._slot:
            self._alive.append(values)
            slot = self._slot[memory] = self._new_slot(values)
            self._inputs[slot] = int(values.storage_offset())
        if memory in self._lasting or not values.is_contiguous():
            self.flaw = "an input is a parameter, or lies in its memory as no other would"
        return self._slot[memory]

    def place(self, values: torch.Tensor) -> Any:
        """The slot that will have these values in another pass; a constant's are taken as they are."""
        self._alive.append(values)
        memory = memory_of(values)
        base = self._slot.get(memory)
        if base is None:
            if memory not in self._lasting:
                self.constants.add(memory)
            return values.detach()
        layout = layout_of(values)
        if layout is None or layout == self.layouts[base][0]:
            return Slot(base)
        if (base, layout) not in self._views:
            view = self._views[base, layout] = self._new_slot(values)
            if base in self._inputs:
                shift = layout.offset - self._inputs[base]
                self.calls.append(
                    Call(_part, (Slot(base), layout.size, layout.stride, shift), {}, (view,), shows_part=True)
                )
            else:
                self.calls.append(Call(torch.Tensor.as_strided, (Slot(base), *layout), {}, (view,), shows_part=True))
        return Slot(self._views[base, layout])

    def got_room(self, x: torch.Tensor, shape: Sequence[int], room: torch.Tensor) -> None:
        """Note that `pool.empty_like(x, *shape)` gave memory of the net, in which any values were."""
        self._alive.append(room)
        like = self.place(x)
        slot = self._slot[memory_of(room)] = self._new_slot(room)
        self.calls.append(Call(pool.empty_like, (like, *shape), {}, (slot,)))

    def is_constant(self, values: torch.Tensor) -> bool:
        """Whether no call made these values, nor are they an input's."""
        return memory_of(values) not in self._slot

    def _new_slot(self, values: torch.Tensor) -> int:
        self.layouts.append((layout_of(values), values.dtype))
        return len(self.layouts) - 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not self.flaw:
            self._note(func, args, kwargs, result)
        return result

    def _note(self, func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        several = isinstance(result, (tuple, list))
        results = result if several else (result,)
        self._alive.append((args, tuple(kwargs.values()), result))
        tensors = [each for each in results if isinstance(each, torch.Tensor)]
        if any(tag in func.tags for tag in LOOKING) or len(tensors) < sum(each is not None for each in results):
            self.flaw = f"{func} shows values to Python"
            return
        writes = func._schema.is_mutable
        taken = {memory_of(each) for each in _tensors_in((args, tuple(kwargs.values())))}
        if not writes and tensors and all(memory_of(each) in taken for each in tensors):
            return  # other shapes of the same memory
        if writes:
            self._check_written(func, args, kwargs)
        random = torch.Tag.nondeterministic_seeded in func.tags
        self.draws |= random
        takes, named = self._placed(tuple(args)), {name: self._placed(value) for name, value in kwargs.items()}
        gives = tuple(self._given(each) for each in results)
        self.calls.append(Call(_direct(func), takes, named, gives, several, needed=writes or random))

    def _given(self, values: torch.Tensor | None) -> int | None:
        """The slot of a result; None for memory that has one."""
        if values is None or memory_of(values) in self._slot or memory_of(values) in self._lasting:
            return None
        slot = self._slot[memory_of(values)] = self._new_slot(values)
        return slot

    def _placed(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self.place(value)
        if isinstance(value, (tuple, list)):
            return type(value)(map(self._placed, value))
        return value

    def _check_written(self, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        for index, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            value = args[index] if index < len(args) else kwargs.get(argument.name)
            for each in _tensors_in(value):
                if memory_of(each) not in self._slot and memory_of(each) not in self._lasting:
                    self.flaw = f"{func} writes into memory that no call made"


def needed(calls: Sequence[Call], results: Any) -> list[Call]:
    """Those without which some result would be missing."""
    wanted, found = set(slots_in(results)), []
    for call in reversed(calls):
        if call.needed or any(slot in wanted for slot in call.gives):
            wanted |= call.slots()
            found.append(call)
    return found[::-1]


def memory_of(values: torch.Tensor) -> object:
    """What two tensors have in common that share memory."""
    if values.layout != torch.strided:  # packed for oneDNN
        return "packed", id(values)
    return values.untyped_storage()._cdata


def layout_of(values: torch.Tensor) -> InMemory | None:
    """How a tensor lies in its memory; None if only a library knows."""
    if values.layout != torch.strided:
        return None
    return InMemory(tuple(values.shape), values.stride(), int(values.storage_offset()))


def _part(values: torch.Tensor, size: Sequence[int], stride: Sequence[int], shift: int) -> torch.Tensor:
    """A view of a tensor's memory that begins so many values after it."""
    return values.as_strided(size, stride, values.storage_offset() + shift)


def _tensors_in(structure: Any) -> Iterable[torch.Tensor]:
    if isinstance(structure, torch.Tensor):
        yield structure
    elif isinstance(structure, (tuple, list)):
        for part in structure:
            yield from _tensors_in(part)


_QUICK: dict[str, Callable[..., Any]] = {
    "aten::convolution": torch.convolution,
    "aten::relu": torch.relu,
    "aten::relu_": torch.relu_,
    "aten::addmm": torch.addmm,
    "aten::mm": torch.mm,
    "aten::bmm": torch.bmm,
    "aten::maximum": torch.maximum,
    "aten::add": torch.add,
    "aten::mul": torch.mul,
    "aten::div": torch.div,
    "aten::sub": torch.sub,
    "aten::sum": torch.sum,
    "aten::cat": torch.cat,
    "aten::sigmoid": torch.sigmoid,
    "aten::tanh": torch.tanh,
    "aten::neg": torch.neg,
    "aten::exp": torch.exp,
    "aten::clone": torch.clone,
}
"""Functions that Python calls more quickly than by their entry in torch's registry."""


def _direct(func: Any) -> Callable[..., Any]:
    """What computes the same with the least of Python around it."""
    return _QUICK.get(func._schema.name, func._op)
