"""Which layers of a net compute on short maps (caffe/blob/short_map.py), and how."""

from collections.abc import Sequence

import torch

from caffe import switches
from caffe.blob import Blob
from caffe.blob.short_map import Shorts, gather
from caffe.layer_types.base import ReceptiveField
from caffe.plan import border, first_pad
from caffe.plan.border import Step
from caffe.plan.node import NodeLike
from caffe.plan.overwriting import Overwriting

StepPair = tuple[Step, Step]
"""Of one layer: along the rows and along the columns."""


class Elision:
    """The chains of layers in a net that begin with a wide border of zeros.

    In the gradient of a short map, a row that stands for many has the sum of their gradients. That is all that the
    gradients of parameters need, but it is no diff that could be shown. So layers that run backward compute on short
    maps only where diffs of blobs need not be kept.
    """

    def __init__(self, nodes: Sequence[NodeLike], overwriting: Overwriting, *, keep_diffs: bool = True):
        self._nodes = nodes
        self._overwriting = overwriting
        self._keep_diffs = keep_diffs
        self._place: dict[int, tuple[list[int], int]] = {}
        """Index of a node → its chain, as indices of nodes, and its place in it."""
        self._planned: dict[tuple[int, int, int], list[StepPair]] = {}
        self._computed: dict[int, tuple[torch.Tensor, torch.Tensor, StepPair]] = {}
        """Index of a node → its bottom and its top as it last computed on short ones."""
        self._grads: dict[int, tuple[torch.Tensor, Shorts]] = {}
        """Index of a blob → its gradient, on its way down."""
        for index, node in enumerate(nodes):
            if index not in self._place and not switches.PLAIN and self._begins(node):
                chain = self._chain(index)
                self._place.update((member, (chain, place)) for place, member in enumerate(chain))

    def __bool__(self) -> bool:
        """Whether there are such chains."""
        return bool(self._place)

    def _begins(self, node: NodeLike) -> bool:
        """Whether some positions see nothing but the border."""
        fields = self._fields(node)
        wide = node.layer.traits.is_conv2d and bool(fields) and all(field.pad > field.extent for field in fields)
        return wide and not node.layer.in_place and not (node.runs_backward and node.layer.propagate_down[0])

    def _chain(self, begin: int) -> list[int]:
        chain, blob = [begin], self._nodes[begin].top_ids[0]
        for index in range(begin + 1, len(self._nodes)):
            node = self._nodes[index]
            if blob not in node.bottom_ids:
                continue
            if not self._fields(node):
                break
            chain.append(index)
            blob = node.top_ids[0]
        return chain

    def _fields(self, node: NodeLike) -> tuple[ReceptiveField, ReceptiveField] | tuple[()]:
        if node.layer.prepares_backward and (self._keep_diffs or node.layer.in_place):
            return ()
        if len(node.bottom) != 1 or len(node.top) != 1 or len(node.bottom[0].shape) != 4:
            return ()
        return node.layer.traits.receptive_field or ()

    def first(self, index: int) -> int | None:
        """The node that begins a node's chain; None if it is in none."""
        return self._place[index][0][0] if index in self._place else None

    def forward(self, index: int) -> bool:
        """Run a layer on short maps. False: not this one, or its bottom was made whole meanwhile (somebody saw it)."""
        if index not in self._place:
            return False
        self._computed.pop(index, None)
        steps = self.steps(index)
        if steps is None:
            return False
        node, (rows, columns) = self._nodes[index], steps
        lacks = (rows.bottom, columns.bottom) if rows.bottom and columns.bottom else None
        x = node.bottom[0].memory.short(lacks) if lacks else node.bottom[0].tensor
        if x is None:
            return False
        bottom = Blob.of(x)
        top = bottom if node.layer.in_place else Blob(short_shape(node.top[0].shape, (rows.top, columns.top)))
        if lacks is None:
            with first_pad.padding(*self.pads(index, steps)):
                node.layer.forward([bottom], [top])
        elif not self._overwriting.forward(index, [bottom]):
            node.layer.forward([bottom], [top])
        if node.runs_backward and not self._keep_diffs:
            self._computed[index] = x, top.tensor, steps
        node.top[0].memory.put_short(top.tensor, (rows.top, columns.top))
        return True

    def backward(self, index: int) -> bool:
        """Run a layer backward on the short maps that it computed on. False: it did not."""
        if index not in self._computed:
            return False
        node = self._nodes[index]
        x, y, (rows, columns) = self._computed.pop(index)
        top = Blob.of(y)
        top.grad = self.gradient(index, (rows.top, columns.top))
        bottom = top if node.layer.in_place else Blob.of(x)
        node.layer.backward([top], node.layer.propagate_down, [bottom])
        if rows.bottom is not None and columns.bottom is not None and node.layer.propagate_down[0]:
            self._grads[node.bottom_ids[0]] = bottom.grad, (rows.bottom, columns.bottom)
        return True

    def gradient(self, index: int, lacks: Shorts) -> torch.Tensor:
        """That of a node's short top, which the next layer left short, or whole."""
        node = self._nodes[index]
        if node.top_ids[0] not in self._grads:
            return gather(node.top[0].grad, lacks)
        grad, now = self._grads.pop(node.top_ids[0])
        return gather(grad, lacks, now)

    def steps(self, index: int) -> StepPair | None:
        """A node's steps for the present size of the image; None if it computes on whole maps."""
        if index not in self._place:
            return None
        first = self._nodes[self._place[index][0][0]]
        return self.steps_of(index, *first.bottom[0].shape[2:])

    def steps_of(self, index: int, height: int, width: int) -> StepPair | None:
        """A node's steps where its chain begins with a map of this size; None if it computes on whole maps."""
        if index not in self._place:
            return None
        chain, place = self._place[index]
        key = (chain[0], height, width)
        if key not in self._planned:
            fields = [self._fields(self._nodes[index]) for index in chain]
            axes = (border.plan([field[axis] for field in fields], size) for axis, size in enumerate(key[1:]))
            self._planned[key] = list(zip(*axes, strict=False))
        steps = self._planned[key]
        return steps[place] if place < len(steps) else None

    def pads(self, index: int, steps: StepPair) -> list[list[int]]:
        """How much of its pad a first layer needs, before and after the rows and the columns."""
        fields = zip(self._fields(self._nodes[index]), steps, strict=True)
        return [[field.pad - less for less in step.pad_less] for field, step in fields]


def short_shape(whole: Sequence[int], lacks: Shorts) -> tuple[int, ...]:
    """The shape of a short map, given that of the whole one."""
    height, width = (size - sum(short.missing) for size, short in zip(whole[2:], lacks, strict=True))
    return (*whole[:2], height, width)


def tops_of(pair: StepPair) -> Shorts:
    """What a layer's top lacks."""
    return pair[0].top, pair[1].top


def bottom_of(pair: StepPair | None) -> Shorts | None:
    """What a layer's bottom lacks; None if that is whole."""
    if pair is None or pair[0].bottom is None or pair[1].bottom is None:
        return None
    return pair[0].bottom, pair[1].bottom
