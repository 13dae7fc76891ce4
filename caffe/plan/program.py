"""A list of calls as one function: Python's own way to say "do this, then that" with the least in between.

The lines are made of numbers alone; whatever a call takes, tensors and settings, is an object and not text.
"""

from collections.abc import Callable, Sequence
from typing import Any

from caffe.plan.recorder import Call, Slot, slots_in

Program = Callable[..., tuple[Any, ...]]
"""Takes a tensor for each slot that it begins with; gives what was asked for."""


def program(calls: Sequence[Call], begins_with: Sequence[int], results: Sequence[Any]) -> Program:
    """A function that makes the calls. results: slots, and constants, which are given as they are."""
    last = _last_uses(calls, set(slots_in(tuple(results))))
    names: dict[str, Any] = {}
    lines = [f"def run({', '.join(f't{slot}' for slot in begins_with)}):"]
    for index, call in enumerate(calls):
        lines.append(f"    {_line(call, names)}")
        if index in last:
            lines.append(f"    {' = '.join(f't{slot}' for slot in last[index])} = None")
    lines.append(f"    return {_text(tuple(results), names)}")
    exec(compile("\n".join(lines), "<recorded pass>", "exec"), names)
    return names.pop("run")  # else it and what it takes would keep each other


def _line(call: Call, names: dict[str, Any]) -> str:
    takes = [_text(value, names) for value in call.takes]
    takes += [f"{name}={_text(value, names)}" for name, value in call.named.items()]
    done = f"{_object(call.function, names)}({', '.join(takes)})"
    if all(slot is None for slot in call.gives):
        return done
    gives = ", ".join("_" if slot is None else f"t{slot}" for slot in call.gives)
    return f"{gives}, = {done}" if call.several and len(call.gives) == 1 else f"{gives} = {done}"


def _last_uses(calls: Sequence[Call], kept: set[int]) -> dict[int, list[int]]:
    """Index of a call → the slots that no later one takes, nor are they results."""
    last: dict[int, int] = {}
    for index, call in enumerate(calls):
        last.update(dict.fromkeys((slot for slot in call.gives if slot is not None), index))
        last.update(dict.fromkeys(call.slots(), index))
    found: dict[int, list[int]] = {}
    for slot, index in last.items():
        if slot not in kept:
            found.setdefault(index, []).append(slot)
    return found


def _text(value: Any, names: dict[str, Any]) -> str:
    if isinstance(value, Slot):
        return f"t{value.number}"
    if isinstance(value, (tuple, list)) and any(True for _ in slots_in(value)):
        parts = "".join(_text(part, names) + ", " for part in value)
        return f"[{parts}]" if isinstance(value, list) else f"({parts})"
    return _object(value, names)


def _object(value: Any, names: dict[str, Any]) -> str:
    """The name of an object, under which the function finds it."""
    name = f"c{len(names)}"
    names[name] = value
    return name
