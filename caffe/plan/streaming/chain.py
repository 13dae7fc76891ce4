"""Which layers of a net are computed again in backward (segment.py): those of the first, largest maps."""

from collections.abc import Sequence
from dataclasses import dataclass

from caffe.layer_types.base import Rows, TorchLayer
from caffe.layer_types.base.rows import WindowRows
from caffe.plan.node import NodeLike

LARGE = 1 / 5
"""Of the largest map of a chain: maps from this size on are not kept."""


@dataclass(frozen=True)
class Chain:
    """Layers by index, each on the map of the one before; nobody else sees the maps between them."""

    indices: list[int]
    spared: int
    """Values that need not be kept."""


def longest(nodes: Sequence[NodeLike]) -> Chain | None:
    """The chain that spares most, for maps of the present sizes; None if there is none."""
    found: list[Chain] = []
    seen: set[int] = set()
    for index in range(len(nodes)):
        if index not in seen and not nodes[index].layer.in_place and why_not(nodes[index]) is None:
            indices = _from(nodes, index)
            seen.update(indices)
            chain = _cut(nodes, indices)
            if chain.spared:
                found.append(chain)
    return max(found, key=lambda chain: chain.spared, default=None)


def why_not(node: NodeLike) -> str | None:
    """Why a layer is not computed again in bands; None if it may be."""
    layer = node.layer
    if len(node.bottom_ids) != 1 or len(node.top_ids) != 1:
        return f"{layer} has {len(node.bottom_ids)} bottoms and {len(node.top_ids)} tops"
    if any(len(blob.shape) != 4 for blob in (*node.bottom, *node.top)):
        return f"{layer} has a bottom or top that is no map (N, C, H, W)"
    if not isinstance(layer, TorchLayer) or type(layer.rows(node.bottom[0].shape)) not in (Rows, WindowRows):
        return f"{layer} needs more than a window of rows of its bottom"
    if layer.traits.random:
        return f"{layer} draws other numbers each time"
    if any(layer.loss_weight(index) for index in range(len(node.top))):
        return f"{layer} is part of the loss"
    return None


def why_none(nodes: Sequence[NodeLike], index: int) -> str:
    """Why no chain begins with this layer, if none does."""
    why = why_not(nodes[index])
    if why is not None:
        return why
    last = _from(nodes, index)[-1]
    blob = nodes[last].top_ids[0]
    for node in nodes[last + 1 :]:
        if blob in node.bottom_ids:
            return why_not(node) or f"the map of {nodes[index].layer} is the only one"
    return f"{nodes[last].layer} is the last"


def _from(nodes: Sequence[NodeLike], begin: int) -> list[int]:
    """The chain that begins with a layer, as far as it goes."""
    indices, blob = [begin], nodes[begin].top_ids[0]
    for index in range(begin + 1, len(nodes)):
        node = nodes[index]
        if blob not in node.bottom_ids:
            continue
        if why_not(node) is not None:
            break
        indices.append(index)
        blob = node.top_ids[0]
    return indices


def _cut(nodes: Sequence[NodeLike], indices: list[int]) -> Chain:
    """The chain up to the first small map after the last large one, which is kept."""
    sizes = [nodes[index].top[0].count for index in indices]
    large = max(place for place, size in enumerate(sizes) if size >= LARGE * max(sizes))
    end = min(large + 1, len(indices) - 1)
    while end + 1 < len(indices) and nodes[indices[end + 1]].layer.in_place:
        end += 1
    kept = indices[: end + 1]
    maps = {nodes[index].top_ids[0]: size for index, size in zip(kept, sizes, strict=False)}
    return Chain(kept, sum(maps.values()) - maps[nodes[kept[-1]].top_ids[0]])
