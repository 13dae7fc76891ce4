"""Convolutions that take the layers after them into their weights, in a recorded forward pass.

What is computed from parameters alone is computed once. Where it is a factor or a summand of each channel of a
convolution's result, as in BatchNorm with stored statistics, Scale and Bias, it goes into the convolution's weights and
bias: a · (w ∗ x − m) + s = (a · w) ∗ x + (s − a · m). Results are equal to rounding. All of this holds as long as no
parameter changes; then the pass is recorded anew (recording.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from caffe.plan import packed
from caffe.plan.recorder import Call, Layouts, Slot
from caffe.plan.uses import Uses

LARGEST_SUMMAND = 100.0
"""The rounding errors of a convolution's sum are as large as those of its bias. With a larger one, such as that of a
channel that is the same everywhere and is divided by a tiny standard deviation, the difference could be seen."""

Change = tuple[torch.Tensor | float, torch.Tensor | float]
"""A factor and a summand, numbers or one for each channel, in float64."""


def folded(calls: Sequence[Call], results: Sequence[Any], layouts: Layouts) -> list[Call]:
    """Calls with the same results, for as long as parameters keep their values. layouts: of each slot."""
    calls = _with_constants(calls, results)
    uses, dropped = Uses(calls, results), set()
    for index, call in enumerate(calls):
        shape = _shape_of_maps(call, layouts)
        following = _following(index, calls, uses, layouts) if shape else []
        if following:
            changes = [_change_of(calls[each], len(call.takes[1])) for each in following]
            convolution, count = _with_changes(call, changes, shape)
            if count:
                calls[index] = replace(convolution, gives=calls[following[count - 1]].gives)
                dropped.update(following[:count])
    return [call for index, call in enumerate(calls) if index not in dropped]


def _with_constants(calls: Sequence[Call], results: Sequence[Any]) -> list[Call]:
    """Without the calls that take nothing but parameters and constants: their results are constants."""
    uses = Uses(calls, results)
    written = {uses.base(slot) for call in calls if call.needed for slot in call.slots()}
    known: dict[int, torch.Tensor] = {}
    found = []
    for recorded in calls:
        named = {name: _with_known(value, known) for name, value in recorded.named.items()}
        call = replace(recorded, takes=_with_known(recorded.takes, known), named=named)
        gives = [slot for slot in call.gives if slot is not None]
        lasts = all(uses.base(slot) not in written and not uses.is_kept(slot) for slot in gives)
        if call.slots() or call.needed or not gives or not lasts:
            found.append(call)
            continue
        with torch.no_grad():
            values = call.function(*call.takes, **call.named)
        given = zip(call.gives, values if call.several else (values,), strict=True)
        known.update((slot, value) for slot, value in given if slot is not None)
    return found


def _with_known(value: Any, known: Mapping[int, torch.Tensor]) -> Any:
    """What a call takes, with constants in the place of their slots."""
    if isinstance(value, Slot):
        return known.get(value.number, value)
    if isinstance(value, (tuple, list)):
        return type(value)(_with_known(part, known) for part in value)
    return value


def _shape_of_maps(call: Call, layouts: Layouts) -> tuple[int, ...]:
    """(N, C, H, W) of the maps, if a call convolves float32 maps by packed weights that are constant; else ()."""
    if not packed.is_bare(call) or call.gives[0] is None or not packed.READ_BACK.works:
        return ()
    x, kernels, bias, *_ = call.takes
    if not isinstance(x, Slot) or isinstance(kernels, Slot) or isinstance(bias, Slot):
        return ()
    layout, kind = layouts[x.number]
    return () if layout is None or kind != torch.float32 else layout.size


_CHANGES = {torch.sub, torch.add, torch.mul}


def _following(index: int, calls: Sequence[Call], uses: Uses, layouts: Layouts) -> list[int]:
    """The calls after one that change each value of its result by themselves, and nobody else takes what is between."""
    found: list[int] = []
    (made,) = calls[index].gives
    while made is not None and (later := uses.after(made, index)):
        index, before = later[0], made
        call = calls[index]
        if call.function not in _CHANGES or call.named or not uses.ends_at(before, index):
            break
        (made,) = call.gives
        if made is None or layouts[made] != layouts[before]:
            break
        found.append(index)
    return found


def _change_of(call: Call, channels: int) -> Change | None:
    """What a call does to a map: times a factor, plus a summand; None if it is not that."""
    first, second = call.takes
    if not isinstance(first, Slot) and call.function is not torch.sub:
        first, second = second, first
    value = _per_channel(second, channels) if isinstance(first, Slot) else None
    if value is None:
        return None
    return {torch.mul: (value, 0.0), torch.add: (1.0, value), torch.sub: (1.0, -value)}[call.function]


def _per_channel(value: Any, channels: int) -> torch.Tensor | float | None:
    """A number, or one for each channel of (N, C, H, W); None if a value is neither."""
    if isinstance(value, (int, float)):
        return float(value)
    if not isinstance(value, torch.Tensor) or value.dim() > 4:
        return None
    shape = (1,) * (4 - value.dim()) + tuple(value.shape)
    if shape[1] not in (1, channels) or shape[0] * shape[2] * shape[3] != 1:
        return None
    return value.flatten().double()


def _with_changes(call: Call, changes: Sequence[Change | None], shape: tuple[int, ...]) -> tuple[Call, int]:
    """A convolution of maps of this shape that makes the first so many changes itself, and how many these are."""
    x, kernels, bias, *settings, _, _, _ = call.takes
    factor = torch.ones(len(kernels), dtype=torch.float64)
    summand = torch.zeros_like(factor)
    count, taken = 0, (factor, summand)
    for number, change in enumerate(changes, 1):
        if change is None:
            break
        factor, summand = factor * change[0], summand * change[0] + change[1]
        if factor.isfinite().all() and (summand.abs() <= LARGEST_SUMMAND).all():
            count, taken = number, (factor, summand)
    if not count:
        return call, 0
    factor, summand = taken
    weight = kernels.to_dense().double() * factor[:, None, None, None]
    total = summand if bias is None else bias.double() * factor + summand
    weight = packed.kernels(weight.float(), torch.float32, shape, *settings)
    return replace(call, takes=(x, weight, total.float(), *call.takes[3:])), count
