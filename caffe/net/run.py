"""Runs the layers of a net, one after another, or a recording of that: forward, backward, and both together."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

from caffe import device, process, switches
from caffe.blob import Blob
from caffe.net import debug, work
from caffe.net.explain import explained
from caffe.net.graph import Node, last_uses, reseed_loss
from caffe.net.work import Work
from caffe.plan import threads, ways
from caffe.plan.elision import Elision
from caffe.plan.overwriting import Overwriting
from caffe.plan.pool import Pool
from caffe.plan.replay import Replays
from caffe.proto import caffe_pb2

if TYPE_CHECKING:
    from caffe.net import Net

ways.install()


class NetRun:
    """How a net computes, as long as neither its layers change nor what is kept of them."""

    def __init__(self, net: "Net"):
        self._net = net
        self._keeps_diffs = net.keep_diffs or net.debug_info
        self._last_uses = {} if net.keep_blobs else last_uses(net.graph)
        """Index of a node → the blobs, by name, that no later one takes."""
        self._overwriting = Overwriting(net.nodes)
        self._elision = Elision(
            net.nodes, self._overwriting, keep_diffs=self._keeps_diffs or net.phase != caffe_pb2.TRAIN
        )
        self._replays = Replays(net.nodes, net.graph.blobs)
        self._pool = Pool()
        self._shapes: list[tuple[int, ...]] = []
        self._work = Work()
        """A forward pass's, with blobs of these shapes."""

    def threads(self) -> AbstractContextManager[None]:
        """While this lasts, the calling thread computes with as many threads as this net is worth."""
        if device.mode_is_gpu():
            return nullcontext()
        shapes = [blob.shape for blob in self._net.graph.blobs]
        if shapes != self._shapes:
            self._shapes, self._work = shapes, sum(map(work.forward, self._net.nodes), Work())
        return threads.chosen(self._work.operations, self._work.bytes)

    def forward(self, indices: Iterable[int], kept: Collection[str] = ()) -> torch.Tensor:
        """Run these layers; the loss. kept: names of blobs that stay, whatever the net keeps."""
        indices = list(indices)
        if 0 in indices:
            self._pool.begin_pass()
        with self.threads(), self._pool.serving():
            return self._forward(indices, kept)

    def _forward(self, indices: Sequence[int], kept: Collection[str]) -> torch.Tensor:
        loss = device.zero()
        watched = self._net.has_hooks  # which may look at any blob
        if not watched:
            for index in indices:
                _forget_tops(self._net.nodes[index])
        index = 0
        try:
            for index in indices:
                self._net.call_hooks("before_forward", index)
                node = self._net.nodes[index]
                node.layer.reshape(node.bottom, node.top)
                for blob in node.top:
                    blob.renew()
                if watched:
                    _forget_tops(node)
                if not (self._elision.forward(index) or self._overwriting.forward(index, node.top)):
                    node.layer.forward(node.bottom, node.top)
                if any(node.loss_weights):
                    reseed_loss(node)
                    loss = loss + _weighted_loss(node)
                if self._net.debug_info:
                    debug.after_forward(self._net, node)
                self._net.call_hooks("after_forward", index)
                for name in self._last_uses.get(index, ()):
                    if name not in kept:
                        _give_up(self._net.blobs[name], name)
        except (RuntimeError, MemoryError) as error:
            if (better := explained(error, self._net.nodes, index)) is not error:
                raise better from error
            raise
        process.settle()
        return loss

    def backward(self, indices: Iterable[int]) -> None:
        """Run these layers backward, in the order given."""
        with self.threads(), self._pool.serving():
            self._backward(indices)

    def _backward(self, indices: Iterable[int]) -> None:
        for index in indices:
            self._net.call_hooks("before_backward", index)
            node = self._net.nodes[index]
            if node.runs_backward:
                for blob in (*node.bottom, *node.top):
                    blob.renew_grad()
                if not self._elision.backward(index):
                    node.layer.backward(node.top, node.layer.propagate_down, node.bottom)
                if self._net.debug_info:
                    debug.after_backward(self._net, node)
                if node.bottom and not self._keeps_diffs:
                    _give_up_diffs(node)
            self._net.call_hooks("after_backward", index)
        if self._net.debug_info:
            debug.summary(self._net)

    def whole(self, *, backward: bool, kept: Collection[str] = ()) -> torch.Tensor:
        """Run all layers forward, and backward if asked for; the loss. kept: as of `forward`."""

        def compute(indices: Sequence[int]) -> torch.Tensor:
            loss = self.forward(indices, kept)
            if backward:
                self.backward(reversed(indices))
            return loss

        if not self._may_replay(backward=backward):
            return compute(range(len(self._net.nodes)))
        self.forward(self._replays.sources)
        rest = self._replays.rest
        return self._replays.run(lambda: compute(rest), device.generator(), device.precision(), backward=backward)

    def _may_replay(self, *, backward: bool) -> bool:
        wanted = switches.GRAPHS and not switches.PLAIN and device.mode_is_gpu()
        watched = self._net.debug_info or self._net.has_hooks or not self._net.keep_blobs
        return wanted and not watched and self._replays.serve(backward=backward)


def _forget_tops(node: Node) -> None:
    """Their memory may serve to compute what replaces them, and the layers before."""
    if node.layer.traits.replaces_tops and not node.layer.in_place:
        for blob in node.top:
            blob.forget()


def _give_up(blob: Blob, name: str) -> None:
    blob.give_up(
        f"blob '{name}': its values were given up, because keep_blobs is False and no later layer takes them. To keep "
        f"them, run net.forward(blobs=['{name}']), or set net.keep_blobs = True before the net runs forward."
    )


def _give_up_diffs(node: Node) -> None:
    """Those of a layer's tops, once they are used; but a loss's, which is its weight, and shared ones stay."""
    for blob, weight in zip(node.top, node.loss_weights, strict=True):
        if not weight and not any(blob.shares_grad(bottom) for bottom in node.bottom):
            blob.give_up_grad()


def _weighted_loss(node: Node) -> torch.Tensor:
    total = device.zero()
    for blob, weight in zip(node.top, node.loss_weights, strict=True):
        if weight:
            total = total + torch.dot(blob.tensor.reshape(-1).float(), blob.grad.reshape(-1).float())
    return total
