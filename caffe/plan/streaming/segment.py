"""Segment: layers of a training whose maps are not kept, but computed again, band by band, when backward needs them.

The first maps of an FCN are its largest. Forward computes them in bands of rows and keeps only the last map of the
segment. Backward takes one band of that map after another, computes again what it sees of the maps before, and adds
what the band contributes to the gradients of the parameters (Chen et al., Training Deep Nets with Sublinear Memory
Cost, 2016, in bands). Bands see some rows of their neighbours, which are computed twice.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.layer_types.base import Rows, TorchLayer
from caffe.layer_types.base.rows import Taken, WindowRows
from caffe.plan import first_pad, pool
from caffe.plan.elision import Elision, StepPair, bottom_of, short_shape, tops_of
from caffe.plan.node import NodeLike
from caffe.plan.overwriting import Overwriting
from caffe.plan.streaming.chain import Chain
from caffe.plan.streaming.lengthened import Lengthened

BAND = 2**27
"""Bytes of all maps together that a band computes, unless that were fewer than LEAST_ROWS rows."""
LEAST_ROWS = 8


@dataclass(frozen=True)
class Link:
    """A layer of the segment on maps of the present size.

    layer: computes bands; over: its function, if it may write over its bottom. rows: which rows of its bottom a band
    needs. bottom, top: their shapes. columns: how much it pads before and after the columns, if other than it says.
    lengthened: what is repeated of the map before, to be its bottom.
    """

    layer: TorchLayer
    over: Callable[[torch.Tensor], torch.Tensor] | None
    runs_backward: bool
    rows: Rows
    bottom: Sequence[int]
    top: Sequence[int]
    columns: Sequence[int] | None = None
    lengthened: Lengthened | None = None

    def forward(self, x: torch.Tensor, taken: Taken, count: int) -> tuple[Blob, Blob]:
        """Its bottom and top for a band of so many rows, from the rows that are taken."""
        if taken.above or taken.below:
            x = F.pad(x, (0, 0, taken.above, taken.below), value=self.rows.border)
        bottom = Blob.of(x)
        top = bottom if self.layer.in_place else Blob((*self.top[:2], count, self.top[3]))
        if self.over is not None:
            top.tensor = self.over(x)
        elif self.columns is None:
            self.layer.forward([bottom], [top])
        else:
            with first_pad.padding((0, 0), self.columns):
                self.layer.forward([bottom], [top])
        return bottom, top

    def backward(self, bottom: Blob, top: Blob, taken: Taken) -> torch.Tensor | None:
        """Add to the gradients of the parameters; the gradient of the rows that were taken, if it is wanted."""
        self.layer.backward([top], self.layer.propagate_down, [bottom])
        if not self.layer.propagate_down[0]:
            return None
        return bottom.grad.narrow(2, taken.above, bottom.grad.shape[2] - taken.above - taken.below)


class Segment:
    """The layers of a chain (chain.py) in a net."""

    def __init__(self, nodes: Sequence[NodeLike], chain: Chain, elision: Elision, overwriting: Overwriting):
        self._nodes, self._elision, self._overwriting = nodes, elision, overwriting
        self.indices, self.last = chain.indices, chain.indices[-1]
        self._twins = {index: _twin(nodes[index]) for index in chain.indices}
        self._whole = False
        """Whether the present or last forward pass ran all of these layers, and so computes them here."""
        self.computed = False
        """Whether the last map is what `forward` computed."""

    def begin(self, indices: Sequence[int]) -> None:
        """A forward pass of these layers begins."""
        self._whole = set(self.indices) <= set(indices)
        self.computed = self.computed and not set(self.indices) & set(indices)

    def has(self, index: int) -> bool:
        """Whether a layer is computed here and not by itself."""
        return index in self._twins and (self._whole or self.computed)

    def forward(self) -> None:
        """Compute the last map; the tops of all layers have their shapes already."""
        links, pair = self._links()
        x, top = self._bottom(), self._nodes[self.last].top[0]
        y: torch.Tensor | None = None
        for first, last in self._bands(links):
            band = _run(links, x, first, last)[-1].top.tensor
            y = pool.empty_like(band, *links[-1].top) if y is None else y
            y[:, :, first:last] = band
        self._forget()
        assert y is not None
        if pair is None:
            top.tensor = y
        else:
            top.memory.put_short(y, tops_of(pair))
        self.computed = True

    def backward(self) -> None:
        """Add to the gradients of the parameters, and set that of the first bottom if it is wanted."""
        links, pair = self._links()
        x, bottom = self._bottom(), self._nodes[self.indices[0]].bottom[0]
        grad = self._nodes[self.last].top[0].grad if pair is None else self._elision.gradient(self.last, tops_of(pair))
        into = torch.zeros_like(x) if links[0].runs_backward and links[0].layer.propagate_down[0] else None
        for first, last in self._bands(links):
            _backward(_run(links, x, first, last), grad[:, :, first:last], into)
        self._forget()
        if into is not None:
            bottom.grad = into

    def _forget(self) -> None:
        for twin in self._twins.values():
            twin.forget_record()

    def _bottom(self) -> torch.Tensor:
        return self._nodes[self.indices[0]].bottom[0].tensor

    def _bands(self, links: Sequence[Link]) -> Iterator[tuple[int, int]]:
        """Bands of the last map's rows: first, last."""
        height = links[-1].top[2]
        size = 4 * sum(math.prod(link.top) for link in links)
        most = max(LEAST_ROWS, BAND * height // max(size, 1))
        rows = -(-height // -(-height // most))
        for first in range(0, height, rows):
            yield first, min(first + rows, height)

    def _links(self) -> tuple[list[Link], StepPair | None]:
        """The layers on maps of the present size, and of the last one what its top lacks."""
        links: list[Link] = []
        before: StepPair | None = None
        for index in self.indices:
            node, pair = self._nodes[index], self._elision.steps(index)
            if pair is not None and pair[0].bottom is not None and before is None:
                pair = None  # the first bottom is seen as a whole
            links.append(self._link(index, node, before, pair))
            before = pair
        return links, before

    def _link(self, index: int, node: NodeLike, before: StepPair | None, pair: StepPair | None) -> Link:
        bottom, top = node.bottom[0].shape, node.top[0].shape
        rows = node.layer.rows(bottom)
        assert rows is not None
        columns = None
        if pair is not None:
            top = short_shape(top, tops_of(pair))
            if pair[0].bottom is None:
                assert isinstance(rows, WindowRows)
                low, across = self._elision.pads(index, pair)
                rows, columns = replace(rows, pad=low[0]), across
        lacks = bottom_of(pair)
        lengthened = None
        if before is not None and lacks != tops_of(before):
            lengthened = Lengthened.of(bottom, tops_of(before), lacks)
        bottom = short_shape(bottom, lacks) if lacks else bottom
        return Link(
            self._twins[index], self._overwriting.of(index), node.runs_backward, rows, bottom, top, columns, lengthened
        )


@dataclass(frozen=True)
class Computed:
    """What a link computed of a band: rows first … last − 1 of its bottom were taken."""

    link: Link
    bottom: Blob
    top: Blob
    taken: Taken


def _run(links: Sequence[Link], x: torch.Tensor, first: int, last: int) -> list[Computed]:
    """Rows first … last − 1 of the last map, and what they see of the maps before; x: the whole first bottom.

    Begins with the first link whose band sees more than padding.
    """
    needed: list[tuple[Link, Taken, int]] = []
    band: torch.Tensor | None = None
    for link in reversed(links):
        taken = link.rows.taken(0, first, last, link.bottom[2])
        needed.append((link, taken, last - first))
        first, last = taken.first, taken.last
        if first >= last:
            band = x.new_zeros(len(x), link.bottom[1], 0, link.bottom[3])
            break
        if link.lengthened:
            first, last = link.lengthened.taken(first, last)
    done: list[Computed] = []
    for link, taken, count in reversed(needed):
        if not done:
            band = x[:, :, first:last] if band is None else band
        elif link.lengthened:
            band = link.lengthened.forward(done[-1].top.tensor, taken.first, taken.last)
        else:
            band = done[-1].top.tensor
        done.append(Computed(link, *link.forward(band, taken, count), taken))
    return done


def _backward(done: list[Computed], grad: torch.Tensor, into: torch.Tensor | None) -> None:
    """Backward of what `_run` returned, given the gradient of the band. into: the gradient of the first bottom."""
    flowing: torch.Tensor | None = grad
    while done and flowing is not None:
        each = done.pop()
        if not each.link.runs_backward:
            return
        each.top.grad = flowing.contiguous()
        flowing = each.link.backward(each.bottom, each.top, each.taken)
        first, last = each.taken.first, each.taken.last
        if flowing is None or first >= last:
            return
        if each.link.lengthened:
            width = done[-1].link.top[3]
            flowing = each.link.lengthened.backward(flowing, first, last, width)
        if not done and into is not None:
            into[:, :, first:last] += flowing


def _twin(node: NodeLike) -> TorchLayer:
    layer = node.layer
    assert isinstance(layer, TorchLayer)
    twin = layer.twin()
    twin.take_bands()
    twin.prepares_backward = layer.prepares_backward
    return twin
