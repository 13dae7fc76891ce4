"""Small nets: passes over the same shapes as lists of ready calls, without what Python decides for each layer anew.

Layers decide by shapes which kernels of torch compute them, and autograd finds the formulas of their gradients. In a
small net that takes longer than to compute. So after a few passes over the same shapes a forward pass is recorded
(recorder.py), with the backward pass that follows it, and from then on their calls are made one after the other
(program.py). Blobs get their values once all layers are done.

Whatever a recording takes for granted is looked at before each pass: the shapes of all blobs, the memory of parameters,
and the version of those that may be kept in another layout (caffe/ops/weight.py). The layers themselves run where it is
not so, where somebody looks between them (hooks, debug_info, some layers alone), and where a NumPy view of a blob is
alive that another layer takes. If only some layers run backward after a recorded pass, each of them first computes what
it would have recorded for autograd, from the bottoms that it had.
"""

import weakref
from collections.abc import Sequence
from functools import partial

import torch

from caffe import device
from caffe.blob import Blob
from caffe.blob.storage import LARGE
from caffe.layer_types.base import TorchLayer
from caffe.log import log
from caffe.plan.node import NodeLike
from caffe.plan.overwriting import Overwriting
from caffe.plan.recording import Recording

WARM_UP = 2
"""Passes over the same shapes that are computed layer by layer first: they prepare weights."""
MOST_OPERATIONS = 10**10
"""Of a forward pass; in a larger net the layers' Python hardly counts, and memory does."""
MOST_RECORDINGS = 8
"""Of one net, for its latest shapes."""
TRIES = 3
"""Recorded forward passes of a net that runs backward which no backward pass followed; then there are no more."""

METHODS = frozenset(("forward", "backward", "reshape", "compute"))
"""What a pass calls of a layer."""

PassKey = tuple[object, ...]


class Ready:
    """The passes over a net that are ready to be made again."""

    def __init__(self, nodes: Sequence[NodeLike], blobs: Sequence[Blob], overwriting: Overwriting):
        sources = [index for index, node in enumerate(nodes) if not node.bottom and not node.layer.traits.replayable]
        self.fetching = [index for index in sources if not nodes[index].layer.traits.fed_by_user]
        """The layers, as indices, that run before a recorded pass: those that give it data, unless the user does."""
        self.others = [index for index in range(len(nodes)) if index not in self.fetching]
        """All others."""
        self.rest = [index for index in range(len(nodes)) if index not in sources]
        """The layers of a recorded pass."""
        self._nodes, self._blobs, self._overwriting = nodes, blobs, overwriting
        self._memories = [blob.memory for blob in blobs]
        self._given = [blob for index in sources for blob in nodes[index].top]
        given = set(map(id, self._given))
        taken = {id(blob): blob.memory for index in self.rest for blob in nodes[index].bottom if id(blob) not in given}
        self._between = list(taken.values())
        """Of the blobs that one layer of these gives and another takes."""
        layers = [nodes[index].layer for index in self.rest]
        self._attributes = [vars(layer) for layer in layers]
        """Where a program may have put functions of its own in the place of a layer's methods."""
        self._torch_layers = [layer for layer in layers if isinstance(layer, TorchLayer)]
        self._prepares = any(layer.prepares_backward for layer in layers)
        params = [blob for layer in layers for blob in layer.blobs]
        shown = {id(blob.memory.data) for blob in params} & {id(memory.data) for memory in self._memories}
        large = any(blob.count >= LARGE for blob in params)  # the memory of their gradients is used again by layers
        self._able = all(layer.traits.replayable for layer in layers) and not shown and not (self._prepares and large)
        self._recordings: dict[PassKey, Recording] = {}
        self._met: tuple[PassKey, int] = ((), 0)
        """The key of the last pass, and how many there were in a row."""
        self._shaped_for: PassKey = ()
        self._shapes: list[tuple[int, ...]] = []
        """Of all blobs, for that key."""
        self._open: Recording | None = None
        """A recorded forward pass whose records for autograd the layers keep, so that backward can be recorded."""
        self._last: Recording | None = None
        """The recording by which the last forward pass over the whole net was computed."""
        self._alone: set[int] = set()
        """Layers, as indices, that ran forward alone since."""
        self._stale = False
        """Whether layers may have records of other passes."""
        self._unused = 0
        self._went_back = False

    def serves(self, operations: int) -> bool:
        """Whether passes of so much work are made ready; not if a program has replaced one of a layer's methods."""
        if not self._able or operations > MOST_OPERATIONS:
            return False
        return all(METHODS.isdisjoint(attributes) for attributes in self._attributes)

    def ran(self, indices: Sequence[int]) -> None:
        """These layers are about to run forward by themselves."""
        self._close()
        self._stale = True
        self._alone.update(indices)
        if len(indices) == len(self._nodes) and self._last is not None:
            self._last.release()
            self._last = None

    def forward(self) -> bool:
        """Compute the layers of `rest`. False: they have to run by themselves, and nothing was computed."""
        self._close()
        if self._prepares and any(memory.viewed for memory in self._between):
            return False
        key = (device.precision(), *(blob.memory.shape for blob in self._given))
        self._met = (key, self._met[1] + 1 if key == self._met[0] else 1)
        if self._met[1] > WARM_UP or key in self._recordings:
            self._reshape(key)
        recording = self._recordings.get(key)
        if recording is not None and not recording.holds(self._memories):
            del self._recordings[key]
            self._met, recording = (key, 1), None
        if recording is None:
            return self._met[1] > WARM_UP and self._record(key)
        if recording.flaw or (self._prepares and self._went_back and not recording.goes_back):
            return False
        self._begin(recording)
        return recording.run_forward()

    def state_of(self, index: int) -> tuple[list[torch.Tensor], dict[str, object]] | None:
        """Of a layer whose last pass was a recording's: the bottoms that it had, and what it noted; else None."""
        return None if self._last is None or index in self._alone else self._last.state_of(index)

    def backward(self) -> bool:
        """Compute the gradients after the forward pass before. False: the layers have to run by themselves."""
        opened, last = self._open, self._last
        if not self._prepares:
            self._close()
            return False
        if not self._went_back:
            self._went_back = True
            if opened is None:
                self._recordings.clear()  # these were made for forward passes alone
        if self._alone or last is None:
            self._close()
            return False
        if opened is not None:
            self._open, self._unused = None, 0
            opened.record_backward()
            self._forget_records(opened)
            return True
        if not (last.goes_back and last.held):
            return False
        last.run_backward()
        return True

    def _reshape(self, key: PassKey) -> None:
        """Give the blobs the shapes that follow from those of the given ones, unless they have them."""
        if key != self._shaped_for or [memory.shape for memory in self._memories] != self._shapes:
            for index in self.rest:
                self._nodes[index].layer.reshape(self._nodes[index].bottom, self._nodes[index].top)
            self._shaped_for, self._shapes = key, [memory.shape for memory in self._memories]

    def _record(self, key: PassKey) -> bool:
        while len(self._recordings) >= MOST_RECORDINGS:
            del self._recordings[next(iter(self._recordings))]
        recording = self._recordings[key] = Recording(self._nodes, self.rest, self._given, self._blobs)
        self._begin(recording)
        recording.record_forward(self._overwriting)
        for index in self.rest:
            layer = self._nodes[index].layer
            if isinstance(layer, TorchLayer) and layer.prepares_backward:
                layer.recall = partial(_state_of, weakref.ref(self), index)
        self._stale = True
        if recording.flaw:
            log.debug("passes of this net are not made ready: %s", recording.flaw)
        if self._prepares and not recording.flaw:
            self._open = recording
        else:
            recording.close()
        return True

    def _begin(self, recording: Recording) -> None:
        if self._stale:
            for layer in self._torch_layers:
                layer.forget_record()
        if self._last is not None and self._last is not recording:
            self._last.release()
        self._stale, self._last = False, recording
        self._alone.clear()

    def _forget_records(self, recording: Recording) -> None:
        if not recording.flaw:
            for layer in self._torch_layers:
                layer.forget_record()
            self._stale = False

    def _close(self) -> None:
        """Record no backward pass any more."""
        if self._open is not None:
            self._open.close()
            self._open = None
            self._unused += 1
            if self._went_back and self._unused >= TRIES:
                self._able = False


def _state_of(owner: "weakref.ref[Ready]", index: int) -> tuple[list[torch.Tensor], dict[str, object]] | None:
    """The bottoms of a layer as the last whole pass entered it, and what it noted; None if it ran by itself."""
    ready = owner()
    return None if ready is None else ready.state_of(index)
