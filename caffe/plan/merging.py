"""Fewer and cheaper calls with the same results in a recorded pass.

A convolution by oneDNN takes a ReLU that follows along; for the two it may choose another kernel than for the one, so
results are equal to rounding. A function of one element at a time writes over its first operand, if nobody takes that
any more: maps stay in the cache, and no memory is asked for.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from caffe.plan import packed
from caffe.plan.recorder import Call, Layouts, Slot, slots_in
from caffe.plan.uses import Uses

_OVER: dict[Any, Any] = {
    torch.sub: torch.Tensor.sub_,
    torch.mul: torch.Tensor.mul_,
    torch.add: torch.Tensor.add_,
    torch.relu: torch.Tensor.relu_,
    torch.sigmoid: torch.Tensor.sigmoid_,
    torch.tanh: torch.Tensor.tanh_,
}
"""Functions of one element at a time, and what computes them in place."""


def merged(calls: Sequence[Call], results: Sequence[Any], layouts: Layouts) -> list[Call]:
    """Calls with the same results. layouts: of each slot."""
    calls = _with_relu(list(calls), results)
    uses = Uses(calls, results)
    return [_over_first(call, index, uses, layouts) for index, call in enumerate(calls)]


def _with_relu(calls: list[Call], results: Sequence[Any]) -> list[Call]:
    uses, dropped = Uses(calls, results), set()
    for index, call in enumerate(calls):
        made = call.gives[0] if packed.is_bare(call) else None
        following = [] if made is None else uses.after(made, index)
        relu = calls[following[0]] if following else None
        if made is None or relu is None or relu.takes != (Slot(made),):
            continue
        in_place = relu.function is torch.relu_
        if in_place or (relu.function is torch.relu and uses.ends_at(made, following[0])):
            takes = (*call.takes[: packed.ATTACHED], "relu", *call.takes[packed.ATTACHED + 1 :])
            calls[index] = replace(call, takes=takes, gives=call.gives if in_place else relu.gives)
            dropped.add(following[0])
    return [call for index, call in enumerate(calls) if index not in dropped]


def _over_first(call: Call, index: int, uses: Uses, layouts: Layouts) -> Call:
    over = _OVER.get(call.function)
    if over is None or not isinstance(call.takes[0], Slot) or call.gives[0] is None:
        return call
    first = call.takes[0].number
    others = {uses.base(slot) for slot in slots_in((call.takes[1:], tuple(call.named.values())))}
    alike = layouts[first] == layouts[call.gives[0]] and layouts[first][0] is not None
    if alike and first not in others and uses.ends_at(first, index):
        return replace(call, function=over, needed=True)
    return call
