"""One recorded pass over a net: its calls, and what blobs, layers and parameters get of them (see ready.py)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from caffe import device
from caffe.blob import Blob
from caffe.blob.memory import Memory
from caffe.blob.storage import Storage
from caffe.layer_types.base import NativeLayer
from caffe.ops.checks import Check, deferring
from caffe.plan import pool
from caffe.plan.folding import folded
from caffe.plan.merging import merged
from caffe.plan.node import NodeLike
from caffe.plan.overwriting import Overwriting
from caffe.plan.program import Program, program
from caffe.plan.recorder import Call, CallRecorder, InMemory, Slot, needed, slots_in


class Recording:
    """A forward pass over some layers, and the backward pass after it, in which they ran on stand-ins of blobs."""

    def __init__(self, nodes: Sequence[NodeLike], order: Sequence[int], given: Sequence[Blob], blobs: Sequence[Blob]):
        """order: the layers to run, as indices of nodes. given: the blobs that hold values before. blobs: all."""
        self._nodes, self._order, self._given = nodes, order, given
        self._stand = {id(blob): Blob(blob.memory.shape) for blob in blobs}
        self._blob = {id(blob): blob for blob in blobs}
        self._shapes = [blob.memory.shape for blob in blobs]
        self._layers = [nodes[index].layer for index in order]
        self._params = list({id(blob): blob for layer in self._layers for blob in layer.blobs}.values())
        ran = [nodes[index] for index in order]
        makers = [node for node in ran if node.layer.traits.replaces_tops and not node.layer.in_place]
        self._replaced = [blob.memory for node in makers for blob in node.top]
        self._recorder: CallRecorder | None = None
        self._draws: torch.Generator | None = None
        """What random numbers of the passes are drawn from; None if they draw none."""
        self._marks: list[tuple[Memory, Storage, torch.Tensor | None, bool, tuple[int, int] | None]] = []
        """Of each parameter: its memory, values, whether NumPy sees them, and perhaps how often they changed."""
        self.flaw = ""
        """Why the passes cannot be computed again; "" if they can."""
        self._calls: list[Call] = []
        self._layouts: list[tuple[InMemory | None, torch.dtype]] = []
        self._begins: list[int] = []
        self._tops: list[tuple[Memory, Any]] = []
        self._checks: list[Any] = []
        self._entered: dict[int, tuple[list[Any], dict[str, Any]]] = {}
        """By index of a layer that records for backward: the places of its bottoms, and of what it noted."""
        self._states: dict[int, tuple[list[torch.Tensor], dict[str, Any]]] = {}
        """The same, as the last pass had them."""
        self._forward: Program | None = None
        self.goes_back = False
        """Whether the backward pass is recorded, too."""
        self._back_calls: list[Call] = []
        self._ends: list[Memory] = []
        self._back_begins: list[int] = []
        self._kept: list[int] = []
        """The slots of the forward pass that backward takes."""
        self._held: tuple[Any, ...] | None = None
        """Their tensors."""
        self._grads: list[tuple[Memory, Any]] = []
        self._learned: list[tuple[Blob, Any, bool]] = []
        self._backward: Program | None = None

    def holds(self, memories: Sequence[Memory]) -> bool:
        """Whether all is as it was recorded, but for values."""
        if [memory.shape for memory in memories] != self._shapes:
            return False
        if self._draws is not None and self._draws is not device.generator():
            return False
        for memory, side, values, viewed, stamp in self._marks:
            if memory.data is not side or side.present is not values or side.viewed != viewed:
                return False
            if stamp is not None and (viewed or stamp != side.times(values)):
                return False
        return True

    def _mark(self, recorder: CallRecorder) -> None:
        """Note what parameters are: where they are, and, if something may have been made of their values, these."""
        learned = {
            id(blob)
            for layer in self._layers
            for blob, wanted in zip(layer.blobs, layer.param_propagate_down, strict=False)
            if wanted and layer.prepares_backward
        }
        self._draws = device.generator() if recorder.draws else None
        self._marks = []
        for blob in self._params:
            side, values = blob.memory.data, blob.memory.data.present
            stamp = side.times(values) if recorder.constants and id(blob) not in learned else None
            self._marks.append((blob.memory, side, values, side.viewed, stamp))

    def record_forward(self, overwriting: Overwriting) -> None:
        """Run the layers, and give the blobs their values."""
        recorder = self._recorder = CallRecorder([blob.tensor for blob in self._params])
        for blob in self._given:
            self._stand[id(blob)].tensor = blob.tensor
            self._begins.append(recorder.input(blob.tensor))
        self._forget()
        checks: list[Check] = []
        noted: dict[int, dict[str, Any]] = {}
        entered: dict[int, list[torch.Tensor]] = {}
        with pool.telling(recorder.got_room), deferring(checks), recorder:
            for index in self._order:
                layer, bottom, top = self._stand_ins(index)
                layer.reshape(bottom, top)
                before = dict(vars(layer))
                if layer.prepares_backward:
                    entered[index] = [blob.tensor for blob in bottom]
                if not overwriting.forward(index, top):
                    layer.forward(bottom, top)
                noted[index] = _tensors(before, vars(layer))
        self._states = {index: (values, noted[index]) for index, values in entered.items()}
        params = {id(blob.memory.data) for blob in self._params}
        tops = {id(blob): blob for index in self._order for blob in self._nodes[index].top}
        for key, blob in tops.items():
            stand = self._stand[key]
            if id(stand.memory.data) not in params:
                self._tops.append((blob.memory, self._place(stand.tensor)))
                blob.memory.data.put(stand.tensor)
        self._checks = [recorder.place(fine) for fine, _ in checks]
        for index, (values, notes) in self._states.items():
            places = {name: _mapped(value, recorder.place) for name, value in notes.items()}
            self._entered[index] = ([recorder.place(each) for each in values], places)
        self._calls, self._layouts = list(recorder.calls), recorder.layouts
        self._mark(recorder)
        self.flaw = self.flaw or recorder.flaw
        for fine, complain in checks:
            if not bool(fine):
                complain()

    def _forget(self) -> None:
        """Free the values that are about to be replaced, so that their memory can be used again."""
        for memory in self._replaced:
            memory.forget()

    def run_forward(self) -> bool:
        """Compute the pass from what `given` holds; the blobs get their values. False: a check failed."""
        if self._forward is None:
            self._forward = self._compiled_forward()
        given = [blob.tensor.contiguous() for blob in self._given]
        self.release()
        self._forget()
        with torch.no_grad():
            found = self._forward(*given)
        count = len(self._tops)
        for fine in found[count : count + len(self._checks)]:
            if not fine:
                return False
        for (memory, _), values in zip(self._tops, found, strict=False):
            memory.data.put(values)
        self._held = found[count + len(self._checks) :]
        return True

    def _compiled_forward(self) -> Program:
        kept = set(slots_in(tuple(tuple(values) + tuple(notes.values()) for values, notes in self._entered.values())))
        own = {slot for call in self._back_calls for slot in call.gives if slot is not None} | set(self._back_begins)
        for call in self._back_calls:
            kept |= call.slots() - own
        kept |= set(slots_in([place for _, place in self._grads])) - own
        kept |= set(slots_in([place for _, place, _ in self._learned])) - own
        self._kept = sorted(kept)
        results: list[Any] = [place for _, place in self._tops] + self._checks + [Slot(slot) for slot in self._kept]
        calls = needed(self._calls, results)
        if self._marks and all(stamp is not None for *_, stamp in self._marks):  # else parameters may change meanwhile
            calls = folded(calls, results, self._layouts)
        return program(merged(calls, results, self._layouts), self._begins, results)

    def state_of(self, index: int) -> tuple[list[torch.Tensor], dict[str, Any]] | None:
        """The bottoms of a layer as the last pass entered it, and what it noted; None if nobody knows."""
        if index in self._states:
            return self._states[index]
        if self._held is None or index not in self._entered:
            return None
        held = dict(zip(self._kept, self._held, strict=True))

        def value(place: Any) -> Any:
            return held[place.number] if isinstance(place, Slot) else place

        bottoms, notes = self._entered[index]
        return [value(each) for each in bottoms], {name: _mapped(place, value) for name, place in notes.items()}

    def record_backward(self) -> None:
        """Run the layers backward, after `record_forward`; the blobs and parameters get their gradients."""
        recorder = self._recorder
        assert recorder is not None
        first = len(recorder.calls)
        seeds: dict[int, torch.Tensor] = {}
        for blob in self._ends_of_net():
            seeds[id(blob)] = self._stand[id(blob)].grad = blob.grad.clone()
            self._back_begins.append(recorder.input(seeds[id(blob)]))
            self._ends.append(blob.memory)
        caught: list[tuple[Blob, torch.Tensor, bool]] = []
        real = [blob.memory.diff for blob in self._params]
        catchers = [_Catcher(blob, caught) for blob in self._params]
        try:
            for blob, catcher in zip(self._params, catchers, strict=True):
                blob.memory.diff = catcher
            with pool.telling(recorder.got_room), recorder:
                for index in reversed(self._order):
                    if self._nodes[index].runs_backward:
                        layer, bottom, top = self._stand_ins(index)
                        layer.backward(top, layer.propagate_down, bottom)
        finally:
            for blob, side in zip(self._params, real, strict=True):
                blob.memory.diff = side
        for key, stand in self._stand.items():
            if not stand.memory.lacks_grad and stand.grad is not seeds.get(key):
                memory = self._blob[key].memory
                self._grads.append((memory, self._place(stand.grad)))
                memory.diff.put(stand.grad)
        for blob, values, own in caught:
            self._learned.append((blob, self._place(values), own))
            blob.memory.add_grad(values, own=own and blob.memory.lacks_grad)
        self.flaw = self.flaw or recorder.flaw or next((each.flaw for each in catchers if each.flaw), "")
        self._back_calls = recorder.calls[first:]
        self._forward, self.goes_back = None, True
        self.close()

    def run_backward(self) -> None:
        """Compute the gradients, after `run_forward`."""
        if self._backward is None:
            results: list[Any] = [place for _, place in self._grads] + [place for _, place, _ in self._learned]
            begins = [*self._back_begins, *self._kept]
            calls = merged(needed(self._back_calls, results), results, self._layouts)
            self._backward = program(calls, begins, results)
        assert self._held is not None
        ends = []
        for memory in self._ends:
            memory.renew_grad()
            ends.append(memory.diff.tensor(memory.shape).contiguous())
        with torch.no_grad():
            found = self._backward(*ends, *self._held)
        for (memory, _), values in zip(self._grads, found, strict=False):
            memory.diff.put(values)
        for (blob, _, own), values in zip(self._learned, found[len(self._grads) :], strict=True):
            blob.memory.add_grad(values, own=own and blob.memory.lacks_grad)

    def _ends_of_net(self) -> list[Blob]:
        """The blobs whose gradients backward takes, and no layer computes."""
        written: set[int] = set()
        ends: dict[int, Blob] = {}
        for node in (self._nodes[index] for index in reversed(self._order)):
            if not node.runs_backward:
                continue
            ends.update((id(blob), blob) for blob in node.top if id(blob) not in written)
            written |= {
                id(blob) for blob, wanted in zip(node.bottom, node.layer.propagate_down, strict=False) if wanted
            }
        return list(ends.values())

    def release(self) -> None:
        """Let go of what the last pass kept for backward."""
        self._states, self._held = {}, None

    def close(self) -> None:
        """Nothing more will be recorded."""
        self._recorder = None
        self._stand = {}

    @property
    def held(self) -> bool:
        """Whether the last forward pass was this one's, so that backward can follow."""
        return self._held is not None

    def _stand_ins(self, index: int) -> tuple[NativeLayer, list[Blob], list[Blob]]:
        node = self._nodes[index]
        bottom = [self._stand[id(blob)] for blob in node.bottom]
        return node.layer, bottom, [self._stand[id(blob)] for blob in node.top]

    def _place(self, values: torch.Tensor) -> Any:
        assert self._recorder is not None
        if self._recorder.is_constant(values):
            self.flaw = "a blob has the same values in every pass"
        return self._recorder.place(values)


class _Catcher(Storage):
    """In place of a parameter's gradient: notes what is added to it."""

    def __init__(self, blob: Blob, caught: list[tuple[Blob, torch.Tensor, bool]]):
        super().__init__(blob.count, stable=True)
        self._blob, self._caught = blob, caught
        self.flaw = ""

    def make_room(self) -> None:
        return None

    def add(self, values: torch.Tensor, *, own: bool) -> None:
        self._caught.append((self._blob, values, own))

    def tensor(self, shape: Sequence[int]) -> torch.Tensor:
        self.flaw = "a layer reads the gradient of a parameter"
        return super().tensor(shape)

    def put(self, values: torch.Tensor, lacks: Any = None) -> None:
        self.flaw = "a layer replaces the gradient of a parameter"
        super().put(values, lacks)


def _tensors(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What a layer noted: attributes that are new, and tensors or lists of them."""

    def noted(value: Any) -> bool:
        each = value if isinstance(value, (list, tuple)) else [value]
        return len(each) > 0 and all(isinstance(part, torch.Tensor) for part in each)

    return {
        name: value
        for name, value in after.items()
        if value is not before.get(name) and not name.startswith("_record") and name != "tensors" and noted(value)
    }


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """change(value), or that of each part of a list."""
    several = isinstance(value, (list, tuple)) and not isinstance(value, Slot)
    return [change(part) for part in value] if several else change(value)
