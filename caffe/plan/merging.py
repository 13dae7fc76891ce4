"""Fewer and cheaper calls with the same results in a recorded pass.

A convolution by oneDNN takes a ReLU that follows along; for the two it may choose another kernel than for the one, so
results are equal to rounding. A function of one element at a time writes over its first
operand, if nobody takes that any more: maps stay in the cache, and no memory is asked for.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from caffe.plan import packed
from caffe.plan.recorder import Call, InMemory, Slot, slots_in

_ATTACHED = 7
"""Which of its arguments names the function that is computed along."""
_OVER: dict[Any, Any] = {
    torch.sub: torch.Tensor.sub_,
    torch.mul: torch.Tensor.mul_,
    torch.add: torch.Tensor.add_,
    torch.relu: torch.Tensor.relu_,
    torch.sigmoid: torch.Tensor.sigmoid_,
    torch.tanh: torch.Tensor.tanh_,
}
"""Functions of one element at a time, and what computes them in place."""


class _Uses:
    """Which calls take the memory of a slot, and which slots are views of another one's."""

    def __init__(self, calls: Sequence[Call], results: Sequence[Any]):
        self._base: dict[int, int] = {}
        self._taken: dict[int, list[int]] = {}
        self._made: set[int | None] = set()
        for index, call in enumerate(calls):
            if call.shows_part:
                (view,), (whole, *_) = call.gives, call.takes
                assert view is not None
                self._base[view] = self.base(whole.number)
            else:
                self._made.update(call.gives)
            for slot in call.slots():
                self._taken.setdefault(self.base(slot), []).append(index)
        self._kept = {self.base(slot) for slot in slots_in(tuple(results))}

    def base(self, slot: int) -> int:
        return self._base.get(slot, slot)

    def after(self, slot: int, index: int) -> list[int]:
        """The later calls that take this memory."""
        return [other for other in self._taken.get(self.base(slot), ()) if other > index]

    def ends_at(self, slot: int, index: int) -> bool:
        """Whether a call made the whole of this memory, and nobody takes it after that one."""
        fresh = slot in self._made and slot not in self._base
        return fresh and slot not in self._kept and not self.after(slot, index)


def merged(
    calls: Sequence[Call], results: Sequence[Any], layouts: Sequence[tuple[InMemory | None, torch.dtype]]
) -> list[Call]:
    """Calls with the same results. layouts: of each slot."""
    calls = _with_relu(list(calls), results)
    uses = _Uses(calls, results)
    return [_over_first(call, index, uses, layouts) for index, call in enumerate(calls)]


def _with_relu(calls: list[Call], results: Sequence[Any]) -> list[Call]:
    uses, dropped = _Uses(calls, results), set()
    for index, call in enumerate(calls):
        if not packed.is_convolution(call.function) or call.takes[_ATTACHED] != "none" or call.gives[0] is None:
            continue
        made = call.gives[0]
        following = uses.after(made, index)
        relu = calls[following[0]] if following else None
        if relu is None or relu.takes != (Slot(made),):
            continue
        in_place = relu.function is torch.relu_
        if in_place or (relu.function is torch.relu and uses.ends_at(made, following[0])):
            takes = (*call.takes[:_ATTACHED], "relu", *call.takes[_ATTACHED + 1 :])
            calls[index] = replace(call, takes=takes, gives=call.gives if in_place else relu.gives)
            dropped.add(following[0])
    return [call for index, call in enumerate(calls) if index not in dropped]


def _over_first(call: Call, index: int, uses: _Uses, layouts: Sequence[tuple[InMemory | None, torch.dtype]]) -> Call:
    over = _OVER.get(call.function)
    if over is None or not isinstance(call.takes[0], Slot) or call.gives[0] is None:
        return call
    first = call.takes[0].number
    others = {uses.base(slot) for slot in slots_in((call.takes[1:], tuple(call.named.values())))}
    alike = layouts[first] == layouts[call.gives[0]] and layouts[first][0] is not None
    if alike and first not in others and uses.ends_at(first, index):
        return replace(call, function=over, needed=True)
    return call
