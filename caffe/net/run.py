"""Runs the layers of a net, one after another, or a recording of that: forward, backward, and both together."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from caffe import device, process, switches
from caffe.blob import Blob
from caffe.blob.memory import Memory
from caffe.layer_types.base import TorchLayer
from caffe.net import checkpoint, debug, work
from caffe.net.explain import explained
from caffe.net.graph import Graph, Node, last_uses, reseed_loss
from caffe.net.hooks import Hooks, call
from caffe.net.work import Work
from caffe.plan import threads, ways
from caffe.plan.elision import Elision
from caffe.plan.overwriting import Overwriting
from caffe.plan.pool import Pool
from caffe.plan.ready import Ready
from caffe.plan.replay import Replays
from caffe.plan.streaming.segment import Segment

ways.install()


@dataclass(frozen=True)
class RunSettings:
    """The purpose of a net's passes, and what is kept of a pass."""

    trains: bool
    keep_diffs: bool = True
    keep_blobs: bool = True
    checkpoint: bool = False
    debug_info: bool = False


class NetRun:
    """How a net computes, as long as neither its layers nor the settings change."""

    def __init__(self, graph: Graph, hooks: Hooks, settings: RunSettings):
        self._graph, self._nodes, self._hooks, self._settings = graph, graph.nodes, hooks, settings
        self._blobs = dict(zip(graph.blob_names, graph.blobs, strict=True))
        self._keeps_diffs = settings.keep_diffs or settings.debug_info
        self._replaced = [_replaced(node) for node in self._nodes]
        self._losses = {index for index, node in enumerate(self._nodes) if any(node.loss_weights)}
        self._last_uses = {} if settings.keep_blobs else last_uses(graph)
        """Index of a node → the blobs, by name, that no later one takes."""
        self._overwriting = Overwriting(self._nodes)
        self._elision = Elision(self._nodes, self._overwriting, keep_diffs=self._keeps_diffs or not settings.trains)
        self._segment: Segment | None = None
        """Layers whose maps are computed again when backward needs them."""
        if settings.checkpoint and not settings.debug_info:
            self._segment = checkpoint.segment(self._nodes, self._elision, self._overwriting)
        self._low = 0
        """With a segment: the fewest bytes that the process had since it last gave some back."""
        self._moved = checkpoint.moved(self._segment, graph) if self._segment else {}
        """Index of a node → the blobs, by number, of which no later one needs more than the shape."""
        for node in self._nodes:
            if isinstance(node.layer, TorchLayer):
                node.layer.keeps_bottoms = self._segment is None or not checkpoint.moves(node)
        self._replays = Replays(self._nodes, graph.blobs)
        self._ready = Ready(self._nodes, graph.blobs, self._overwriting)
        self._pool = Pool()
        self._shapes: list[tuple[int, ...]] = []
        self._work = Work()
        """A forward pass's, with blobs of these shapes."""

    def threads(self) -> AbstractContextManager[None]:
        """While this lasts, the calling thread computes with as many threads as this net is worth."""
        if device.mode_is_gpu():
            return nullcontext()
        found = self._forward_work()
        return threads.chosen(found.operations, found.bytes)

    def _forward_work(self) -> Work:
        shapes = [blob.memory.shape for blob in self._graph.blobs]
        if shapes != self._shapes:
            self._shapes, self._work = shapes, sum(map(work.forward, self._nodes), Work())
        return self._work

    def forward(self, indices: Sequence[int], kept: Collection[str] = ()) -> torch.Tensor:
        """Run these layers; the loss. kept: names of blobs that stay, whatever the net keeps."""
        if len(indices) == len(self._nodes):
            if self._may_replay(backward=False):
                return self._replayed(self._forward, backward=False)
            if self._may_be_ready():
                return self._ready_forward()
        self._ready.ran(indices)
        return self._forward(indices, kept)

    def forward_backward(self) -> torch.Tensor:
        """Run all layers forward, then backward; the loss."""
        if self._may_replay(backward=True):
            return self._replayed(self._forward_backward, backward=True)
        indices = range(len(self._nodes))
        loss = self.forward(indices)
        self.backward(indices[::-1])
        return loss

    def backward(self, indices: Sequence[int]) -> None:
        """Run these layers backward, in the order given."""
        if self._segment is not None:
            checkpoint.check(self._segment, self._nodes, indices)
        with self.threads(), self._pool.serving():
            if len(indices) == len(self._nodes) and self._may_be_ready() and self._ready.backward():
                self._give_up_all_diffs()
                return
            for index in indices:
                call(self._hooks.before_backward, index)
                if self._nodes[index].runs_backward:
                    self._compute_gradients(index)
                call(self._hooks.after_backward, index)
            if self._settings.debug_info:
                debug.summary(self._graph)

    def _forward_backward(self, indices: Sequence[int]) -> torch.Tensor:
        loss = self._forward(indices)
        self.backward(indices[::-1])
        return loss

    def _forward(self, indices: Sequence[int], kept: Collection[str] = ()) -> torch.Tensor:
        if 0 in indices:
            self._pool.begin_pass()
        with self.threads(), self._pool.serving():
            loss = device.zero()
            if not self._hooks:  # which may look at any blob
                for index in indices:
                    for memory in self._replaced[index]:
                        memory.forget()
            index = 0
            if self._segment is not None:
                self._segment.begin(indices)
            try:
                for index in indices:
                    self._compute(index)
                    if index in self._losses:
                        loss = loss + _weighted_loss(self._nodes[index])
                    if self._settings.debug_info:
                        debug.after_forward(self._graph, self._nodes[index])
                    if self._hooks.after_forward:
                        call(self._hooks.after_forward, index)
                    if self._last_uses:
                        self._give_up_last_uses(index, kept)
                    if self._segment is not None:
                        self._settle_after(index, kept)
            except (RuntimeError, MemoryError) as error:
                if (better := explained(error, self._nodes, index)) is not error:
                    raise better from error
                raise
            process.settle()
            return loss

    def _compute(self, index: int) -> None:
        """Run a layer forward."""
        if self._hooks.before_forward:
            call(self._hooks.before_forward, index)
        node = self._nodes[index]
        node.layer.reshape(node.bottom, node.top)
        for blob in node.top:
            blob.memory.renew()
        if self._hooks:
            for memory in self._replaced[index]:
                memory.forget()
        if self._segment is not None and self._segment.has(index):
            if index == self._segment.last:
                self._segment.forward()
                checkpoint.give_up(self._segment, self._graph)
                process.give_back()
        elif not (self._elision.forward(index) or self._overwriting.forward(index, node.top)):
            node.layer.forward(node.bottom, node.top)

    def _compute_gradients(self, index: int) -> None:
        """Run a layer backward."""
        node = self._nodes[index]
        if self._segment is not None and self._segment.has(index):
            if index == self._segment.last:
                self._compute_segments_gradients(self._segment)
            return
        for blob in (*node.bottom, *node.top):
            blob.memory.renew_grad()
        if not self._elision.backward(index):
            node.layer.backward(node.top, node.layer.propagate_down, node.bottom)
        if self._settings.debug_info:
            debug.after_backward(self._graph, node)
        if node.bottom and not self._keeps_diffs:
            _give_up_diffs(node)
        if self._segment is not None:
            if self._segment.computed:
                checkpoint.give_up_used(self._segment, self._graph, index)
            self._low = process.settle_to(self._low)

    def _settle_after(self, index: int, kept: Collection[str]) -> None:
        """Give up what no layer after this one needs in a pass that keeps little."""
        for number in self._moved.get(index, ()):
            if self._graph.blob_names[number] not in kept:
                checkpoint.give_up_moved(self._graph, number)
        self._low = process.settle_to(self._low)

    def _compute_segments_gradients(self, segment: Segment) -> None:
        for blob in (*self._nodes[segment.indices[0]].bottom, *self._nodes[segment.last].top):
            blob.memory.renew_grad()
        process.give_back()
        segment.backward()
        process.give_back()
        checkpoint.give_up_diffs(segment, self._graph)
        checkpoint.give_up_used(segment, self._graph, segment.last)
        if not self._keeps_diffs:
            _give_up_diffs(self._nodes[segment.last])

    def _give_up_last_uses(self, index: int, kept: Collection[str]) -> None:
        for name in self._last_uses.get(index, ()):
            if name not in kept:
                _give_up(self._blobs[name], name)

    def _may_be_ready(self) -> bool:
        """Whether passes over all layers may be computed by ready calls."""
        if self._watched() or switches.PLAIN or device.mode_is_gpu() or self._elision:
            return False
        return self._ready.serves(self._forward_work().operations)

    def _ready_forward(self) -> torch.Tensor:
        """Run all layers forward, by ready calls if there are any; the loss."""
        fetching = self._ready.fetching
        if fetching:
            self._forward(fetching)
        with self.threads(), self._pool.serving():
            if self._ready.forward():
                if 0 not in fetching:
                    self._pool.begin_pass()
                loss = device.zero()
                for index in self._losses:
                    loss = loss + _weighted_loss(self._nodes[index])
                process.settle()
                return loss
        self._ready.ran(range(len(self._nodes)))
        return self._forward(self._ready.others)

    def _give_up_all_diffs(self) -> None:
        if not self._keeps_diffs:
            for node in self._nodes:
                if node.bottom and node.runs_backward:
                    _give_up_diffs(node)

    def _may_replay(self, *, backward: bool) -> bool:
        wanted = switches.GRAPHS and not switches.PLAIN and device.mode_is_gpu()
        return wanted and not self._watched() and self._replays.serve(backward=backward)

    def _watched(self) -> bool:
        """Whether something happens between layers, which a pass that is recorded as a whole would leave out."""
        settings = self._settings
        between = settings.debug_info or self._hooks or not settings.keep_blobs
        return bool(between or self._segment is not None)

    def _replayed(self, compute: Callable[[Sequence[int]], torch.Tensor], *, backward: bool) -> torch.Tensor:
        self._forward(self._replays.sources)
        rest = self._replays.rest
        return self._replays.run(lambda: compute(rest), device.generator(), device.precision(), backward=backward)


def _replaced(node: Node) -> list[Memory]:
    """Tops whose memory may serve to compute what replaces them, and the layers before."""
    replaces = node.layer.traits.replaces_tops and not node.layer.in_place
    return [blob.memory for blob in node.top] if replaces else []


def _give_up(blob: Blob, name: str) -> None:
    blob.memory.give_up(
        f"blob '{name}': its values were given up, because keep_blobs is False and no later layer takes them. To keep "
        f"them, run net.forward(blobs=['{name}']), or set net.keep_blobs = True before the net runs forward."
    )


def _give_up_diffs(node: Node) -> None:
    """Those of a layer's tops, once they are used; but a loss's, which is its weight, and shared ones stay."""
    for blob, weight in zip(node.top, node.loss_weights, strict=True):
        if not weight and not any(blob.memory.shares_grad(bottom.memory) for bottom in node.bottom):
            blob.memory.give_up_grad()


def _weighted_loss(node: Node) -> torch.Tensor:
    """What the tops of a layer add to the loss; their diffs become their weights."""
    reseed_loss(node)
    total = device.zero()
    for blob, weight in zip(node.top, node.loss_weights, strict=True):
        if weight:
            total = total + torch.dot(blob.tensor.reshape(-1).float(), blob.grad.reshape(-1).float())
    return total
