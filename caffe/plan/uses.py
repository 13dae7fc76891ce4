"""Which calls of a recorded pass make a tensor, and which take it."""

from collections.abc import Sequence
from typing import Any

from caffe.plan.recorder import Call, slots_in


class Uses:
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
        """The slot whose memory this one's tensor shows."""
        return self._base.get(slot, slot)

    def is_kept(self, slot: int) -> bool:
        """Whether a result of the pass is in this memory."""
        return self.base(slot) in self._kept

    def after(self, slot: int, index: int) -> list[int]:
        """The later calls that take this memory."""
        return [other for other in self._taken.get(self.base(slot), ()) if other > index]

    def ends_at(self, slot: int, index: int) -> bool:
        """Whether a call made the whole of this memory, and nobody takes it after that one."""
        fresh = slot in self._made and slot not in self._base
        return fresh and not self.is_kept(slot) and not self.after(slot, index)
