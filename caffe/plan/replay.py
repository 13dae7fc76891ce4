"""A whole pass as one CUDA graph, for shapes that recur. `CAFFE_GRAPHS=1` in the environment turns it on.

A GPU often finishes a layer before Python has launched the next. So after a few passes over the same shapes, a pass is
recorded as a CUDA graph, and from then on its kernels are launched together, on the memory that they were recorded
with. Layers that fetch data are not part of it: they run before.

While a pass is recorded, Python cannot look at values. Nets with a layer that may have to, because it is not
`replayable` (caffe/layer_types/base/traits.py), are not recorded; checks of labels are deferred until the pass is done.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.layer_types.base import NativeLayer
from caffe.log import log
from caffe.ops.checks import Check, deferring
from caffe.plan.node import NodeLike

WARM_UP = 2
"""Passes over the same shapes that are computed layer by layer first: they set libraries up and prepare weights."""
MAX_RECORDINGS = 8
"""Recordings of one net; each has memory of its own for all blobs."""

Compute = Callable[[], torch.Tensor]


class Replays:
    """The recorded passes over a net."""

    def __init__(self, nodes: Sequence[NodeLike], blobs: Sequence[Blob]):
        self.sources = [
            index for index, node in enumerate(nodes) if not node.bottom and not node.layer.traits.replayable
        ]
        """The layers, as indices, that run before a recorded pass."""
        self.rest = [index for index in range(len(nodes)) if index not in self.sources]
        self._data = [(blob, "tensor") for index in self.sources for blob in nodes[index].top]
        self._diffs = [(blob, "grad") for blob in _ends(nodes)]
        self._nodes = [nodes[index] for index in self.rest]
        self._blobs = blobs
        self._stamps: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._met: Counter[tuple[object, ...]] = Counter()
        """How many passes there were in a row with the same stamp."""
        self._recordings: dict[tuple[object, ...], _Recording] = {}
        self._fails = not all(node.layer.traits.replayable for node in self._nodes)
        self._kept_for_later = any(node.layer.prepares_backward and not node.layer.in_place for node in self._nodes)
        """Whether forward leaves something for a backward on its own."""

    def serve(self, *, backward: bool) -> bool:
        """Whether passes over this net, forward or forward and backward, can be recorded."""
        return not self._fails and (backward or not self._kept_for_later)

    def run(self, compute: Compute, generator: torch.Generator, *settings: object, backward: bool) -> torch.Tensor:
        """What compute() returns: it runs the layers of `rest`, or else a recording of it is launched.

        settings: what the pass depends on beside shapes and memory.
        """
        key = (backward, *settings, *(blob.shape for blob, _ in self._data))
        stamp = (generator, *self._memory(backward))
        if stamp != self._stamps.get(key):
            self._recordings.pop(key, None)
            self._stamps[key], self._met[key] = stamp, 0
        if key not in self._recordings:
            self._met[key] += 1
            if self._met[key] <= WARM_UP or len(self._recordings) == MAX_RECORDINGS:
                return compute()
            inputs = [*self._data, *(self._diffs if backward else [])]
            if not self._record(key, _Recording(self._nodes, self._blobs, inputs), compute, generator):
                return compute()
        return self._recordings[key].replay()

    def _memory(self, backward: bool) -> list[object]:
        """What a recording takes for granted: the place of parameters, and of those it keeps laid out, the version."""
        found: list[object] = []
        for layer in (node.layer for node in self._nodes):
            for blob, learns in zip(layer.blobs, layer.param_propagate_down, strict=True):
                found.append(blob.tensor.data_ptr() if learns and layer.prepares_backward else blob.memory.stamp)
                if backward:
                    found.append(blob.grad.data_ptr())
        return found

    def _record(
        self, key: tuple[object, ...], recording: "_Recording", compute: Compute, generator: torch.Generator
    ) -> bool:
        try:
            recording.record(compute, generator, next((each.graph.pool() for each in self._recordings.values()), None))
        except CaffeError:
            raise
        except RuntimeError as error:
            log.warning("this net's passes cannot be recorded and are launched layer by layer: %s", error)
            self._fails = True
            return False
        self._recordings[key] = recording
        return True


class _Recording:
    """A pass as a CUDA graph, and the state that blobs and layers have after it."""

    graph: torch.cuda.CUDAGraph

    def __init__(self, nodes: Sequence[NodeLike], blobs: Sequence[Blob], inputs: Sequence[tuple[Blob, str]]):
        self._nodes, self._blobs, self._inputs = nodes, blobs, inputs
        self._values: list[torch.Tensor] = []
        """Of the inputs, which are blobs' tensors and grads, where the pass reads them."""
        self._held: list[tuple[Blob, tuple[Any, ...]]] = []
        """Blobs that the pass changes, and what they hold after it."""
        self._noted: list[tuple[NativeLayer, dict[str, Any]]] = []
        """Layers that note something, and what."""
        self._deferred: list[Check] = []

    def record(self, compute: Compute, generator: torch.Generator, pool: Any) -> None:
        for blob, side in self._inputs:
            setattr(blob, side, _newest(blob, side).clone())
        self._values = [_newest(blob, side) for blob, side in self._inputs]
        layers = [node.layer for node in self._nodes]
        held, noted = [blob.memory.snapshot() for blob in self._blobs], [dict(vars(layer)) for layer in layers]
        with deferring(self._deferred):
            self.graph, (self._loss, self._fine) = record(lambda: (compute(), self._all_fine()), generator, pool)
        after = [blob.memory.snapshot() for blob in self._blobs]
        for (blob, side), values in zip(self._inputs, self._values, strict=True):
            setattr(blob, side, values)
        for blob, before, now in zip(self._blobs, held, after, strict=True):
            if any(one is not other for one, other in zip(before, now, strict=True)):
                self._held.append((blob, now))
        for layer, names in zip(layers, noted, strict=True):
            changed = {name: value for name, value in vars(layer).items() if value is not names.get(name)}
            if changed:
                self._noted.append((layer, changed))

    def _all_fine(self) -> torch.Tensor | None:
        return torch.stack([fine for fine, _ in self._deferred]).all() if self._deferred else None

    def replay(self) -> torch.Tensor:
        """Compute the pass on what the inputs hold now; the loss."""
        for (blob, side), values in zip(self._inputs, self._values, strict=True):
            newest = _newest(blob, side)
            if newest.data_ptr() != values.data_ptr():
                values.copy_(newest)
        self.graph.replay()
        loss = self._loss.clone()
        reshaped = any(blob.shape != state[0] for blob, state in self._held)
        for blob, state in self._held:
            blob.memory.restore(state)
        for layer, changed in self._noted:
            vars(layer).update(changed)
        if reshaped:
            for node in self._nodes:
                node.layer.reshape(node.bottom, node.top)
        if self._deferred and not bool(self._fine):
            for _, complain in self._deferred:
                complain()
        return loss


def _newest(blob: Blob, side: str) -> torch.Tensor:
    """The values of a blob's "tensor" or "grad"; zeros if it was given up."""
    blob.memory.renew_grad()
    return getattr(blob, side)


def _ends(nodes: Sequence[NodeLike]) -> list[Blob]:
    """The blobs that no layer takes: backward begins with their diffs."""
    ends: dict[int, Blob] = {}
    for node in nodes:
        for blob in node.bottom:
            ends.pop(id(blob), None)
        ends.update((id(blob), blob) for blob in node.top)
    return list(ends.values())


def record(compute: Callable[[], Any], generator: torch.Generator, pool: Any) -> tuple[Any, Any]:
    """A CUDA graph of compute(), which draws from `generator`, and what it returns; memory comes from `pool`."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with _nothing_collected(), torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        result = compute()  # data threads do as they like
    return graph, result


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """No garbage collection in here: one that frees an older graph's memory would end the recording of this one."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
