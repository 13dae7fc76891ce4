"""Which layers of a net compute on short maps (see border.py), and how."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from caffe import plan
from caffe.plan import border
from caffe.plan.border import Reach, Step

Steps = tuple[Step, Step]
"""Of one layer: along the rows and along the columns."""


class Elision:
    """The chains of layers in a net that begin with a wide border of zeros and keep nothing for a backward pass."""

    def __init__(self, nodes: Sequence[Any]):
        self._nodes = nodes
        self._place: dict[int, tuple[list[int], int]] = {}
        """Index of a node → its chain, as indices of nodes, and its place in it."""
        self._planned: dict[tuple[int, int, int], list[Steps]] = {}
        for index, node in enumerate(nodes):
            if index not in self._place and not plan.PLAIN and _begins(node):
                chain = self._chain(index)
                self._place.update((member, (chain, place)) for place, member in enumerate(chain))

    def _chain(self, begin: int) -> list[int]:
        chain, blob = [begin], self._nodes[begin].top_ids[0]
        for index in range(begin + 1, len(self._nodes)):
            node = self._nodes[index]
            if blob not in node.bottom_ids:
                continue
            if not _reaches(node):
                break
            chain.append(index)
            blob = node.top_ids[0]
        return chain

    def forward(self, index: int) -> bool:
        """Run a layer on short maps. False: not this one, or its bottom was made whole meanwhile (somebody saw it)."""
        if index not in self._place:
            return False
        chain, place = self._place[index]
        steps = self._steps(chain)
        if place >= len(steps):
            return False
        node, (rows, columns) = self._nodes[index], steps[place]
        if rows.bottom is None or columns.bottom is None:
            x = _bordered(node.bottom[0].tensor, _reaches(node), rows.pad_less, columns.pad_less)
            values = node.layer.evaluate(x, bordered=True)
        else:
            found = node.bottom[0].short_tensor((rows.bottom, columns.bottom))
            if found is None:
                return False
            values = node.layer.evaluate(found)
        node.top[0].put_short(values, (rows.top, columns.top))
        return True

    def _steps(self, chain: list[int]) -> list[Steps]:
        height, width = self._nodes[chain[0]].bottom[0].shape[2:]
        key = (chain[0], height, width)
        if key not in self._planned:
            reaches = [_reaches(self._nodes[index]) for index in chain]
            axes = (border.plan([reach[axis] for reach in reaches], size) for axis, size in enumerate(key[1:]))
            self._planned[key] = list(zip(*axes, strict=False))
        return self._planned[key]


def _reaches(node: Any) -> tuple[Reach, Reach] | tuple[()]:
    reaches = getattr(node.layer, "reaches", None)  # a Python layer, for one, cannot tell
    if reaches is None or node.layer.records:
        return ()
    if len(node.bottom) != 1 or len(node.top) != 1 or len(node.bottom[0].shape) != 4:
        return ()
    return reaches()


def _begins(node: Any) -> bool:
    """Whether some positions see nothing but the border."""
    reaches = _reaches(node)
    return bool(reaches) and all(reach.pad > reach.extent for reach in reaches) and not node.layer.in_place


def _bordered(x: torch.Tensor, reaches: Sequence[Reach], *pad_less: tuple[int, int]) -> torch.Tensor:
    """The image with so much of its border as is needed."""
    rows, columns = ([reach.pad - less for less in pair] for reach, pair in zip(reaches, pad_less, strict=True))
    return F.pad(x, (*columns, *rows))
