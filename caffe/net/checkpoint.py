"""Nets whose first, largest maps are computed again in bands when backward needs them (plan/streaming/segment.py)."""

from collections.abc import Sequence

from caffe.errors import UsageError
from caffe.layer_types.base import Handling, TorchLayer
from caffe.net.graph import Graph, Node
from caffe.plan.elision import Elision
from caffe.plan.overwriting import Overwriting
from caffe.plan.streaming import chain
from caffe.plan.streaming.segment import Segment
from caffe.proto import caffe_pb2


def segment(nodes: Sequence[Node], elision: Elision, overwriting: Overwriting) -> Segment | None:
    """The layers whose maps are not kept; None if there are none."""
    found = chain.longest(nodes)
    return Segment(nodes, found, elision, overwriting) if found else None


def check_possible(net: str, phase: int, nodes: Sequence[Node]) -> None:
    """Raises UsageError for a TEST net, and for one without layers that could be computed again, naming the one with
    the largest map."""
    if phase != caffe_pb2.TRAIN:
        raise UsageError(
            f"net '{net}': checkpoint = True in phase TEST, expected TRAIN: only backward computes again. Set "
            "keep_blobs = False, which spares a TEST net memory."
        )
    if chain.longest(nodes) is not None:
        return
    makers = [index for index, node in enumerate(nodes) if node.bottom and node.top]
    largest = max(makers, key=lambda index: max(blob.count for blob in nodes[index].top), default=None)
    why = "it has no layer that computes" if largest is None else chain.why_none(nodes, largest)
    raise UsageError(
        f"net '{net}': checkpoint = True, but none of its maps can be computed again in bands: {why}. Expected windows "
        "that slide over rows, one after another. Leave checkpoint off; keep_diffs = False spares memory, too."
    )


def check(segment: Segment, nodes: Sequence[Node], indices: Sequence[int]) -> None:
    """Raises UsageError for a backward pass of some of the segment's layers, whose maps are not there."""
    wanted = {index for index in segment.indices if nodes[index].runs_backward}
    found = wanted & set(indices)
    if segment.computed and found and found != wanted:
        first, last = (nodes[index].layer for index in (segment.indices[0], segment.last))
        raise UsageError(
            f"backward of {len(found)} of the {len(wanted)} layers from {first} to {last}: with checkpoint = True they "
            "run together. Run all of them, or none; or set net.checkpoint = False before the net runs forward."
        )


def give_up(segment: Segment, graph: Graph) -> None:
    """Free the values of the maps in between, where earlier passes left some; asking for them is an error."""
    for number in _inner(segment, graph):
        name = graph.blob_names[number]
        graph.blobs[number].memory.give_up(f"blob '{name}': its values were not kept, {_WHY} forward.")


def give_up_diffs(segment: Segment, graph: Graph) -> None:
    """Asking for the diffs of the maps in between is an error."""
    for number in _inner(segment, graph):
        name = graph.blob_names[number]
        graph.blobs[number].memory.give_up_grad(f"blob '{name}': its diff was not kept, {_WHY} backward.")


def moved(segment: Segment, graph: Graph) -> dict[int, list[int]]:
    """Maps of which backward needs only the shapes, by the index of the last layer that reads them.

    Backward of their layer needs no tops, and layers that move values are the only ones that read them. No
    inputs and outputs of the net, and no maps of the segment.
    """
    makers: dict[int, list[Node]] = {}
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for number in node.top_ids:
            makers.setdefault(number, []).append(node)
        for number in node.bottom_ids:
            readers.setdefault(number, []).append(index)
    others = {*graph.input_ids, *graph.output_ids}.union(*(graph.nodes[index].top_ids for index in segment.indices))
    found: dict[int, list[int]] = {}
    for number, indices in readers.items():
        made_so = len(makers.get(number, ())) == 1 and _forgets_tops(makers[number][0])
        if made_so and number not in others and all(moves(graph.nodes[index]) for index in indices):
            found.setdefault(indices[-1], []).append(number)
    return found


def moves(node: Node) -> bool:
    """Whether backward of a layer needs no values of its bottoms, whose values forward moves elsewhere."""
    layer = node.layer
    by_autograd = isinstance(layer, TorchLayer) and type(layer).backward is TorchLayer.backward
    return by_autograd and layer.traits.handling is Handling.MOVED and not layer.in_place


def give_up_moved(graph: Graph, number: int) -> None:
    """Free the values of such a map."""
    for node in graph.nodes:
        if number in node.top_ids and isinstance(node.layer, TorchLayer):
            node.layer.forget_tops()
    graph.blobs[number].memory.give_up(
        f"blob '{graph.blob_names[number]}': its values were not kept, because checkpoint is True and backward needs "
        "only its shape. To see them, set net.checkpoint = False before the net runs forward."
    )


def give_up_used(segment: Segment, graph: Graph, index: int) -> None:
    """Free the values of a layer's tops after its backward, which was the last to need them; not of outputs.

    index: of the layer; of the segment's layers, the last.
    """
    node = graph.nodes[index]
    if index == segment.last:
        numbers = set(node.top_ids)
    elif node.layer.traits.handling is Handling.UNTOUCHED or not node.bottom:
        return
    else:
        numbers = set(node.top_ids) - set(node.bottom_ids)
    for number in numbers - set(graph.output_ids):
        name = graph.blob_names[number]
        graph.blobs[number].memory.give_up(
            f"blob '{name}': its values were given up, because checkpoint is True and backward has used them. To see "
            "them, read them before the net runs backward, or set net.checkpoint = False."
        )


def _forgets_tops(node: Node) -> bool:
    layer = node.layer
    return isinstance(layer, TorchLayer) and not layer.traits.needs_tops and not layer.in_place


_WHY = (
    "because checkpoint is True: they are computed again in bands. To see them, set net.checkpoint = False before the "
    "net runs"
)


def _inner(segment: Segment, graph: Graph) -> set[int]:
    """The maps in between, by number."""
    tops = {graph.nodes[index].top_ids[0] for index in segment.indices}
    return tops - {graph.nodes[segment.last].top_ids[0]}
