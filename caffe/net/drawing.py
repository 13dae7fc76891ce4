"""A compact drawing of a net: a box for each layer, in-place layers merged into the one before, shapes on the
arrows.
"""

from caffe.draw import attributes, choose_color_by_layertype, get_pooling_types_dict, quoted
from caffe.layer_types.base import NativeLayer
from caffe.layer_types.helpers.spatial import SpatialWindow
from caffe.layer_types.vision.convolution import Convolution, Deconvolution, Im2col
from caffe.layer_types.vision.pooling import Pooling, PoolingWindow
from caffe.net import Net
from caffe.net.graph import Node
from caffe.shapes import shape_text

SOURCE = {"shape": "ellipse", "fillcolor": "#E0E0E0", "style": "filled"}
PLAIN = {"shape": "box", "style": "filled,rounded", "fontname": "Helvetica"}


def compact_text(net: Net, rankdir: str = "TB") -> str:
    """A built net as a graph in DOT. rankdir: which way it runs, TB, BT, LR or RL."""
    owners: dict[int, str] = {}
    folded: dict[str, list[Node]] = {}
    lines: list[str] = []
    for node in net.nodes:
        layer = node.layer
        if layer.type == "Split":
            owners.update(dict.fromkeys(node.top_ids, owners[node.bottom_ids[0]]))
        elif layer.in_place:
            folded[owners[node.bottom_ids[0]]].append(node)
            owners.update(dict.fromkeys(node.top_ids[1:], owners[node.bottom_ids[0]]))
        else:
            folded[layer.name] = [node]
            for index, blob in zip(node.bottom_ids, node.bottom, strict=True):
                label = quoted(shape_text(blob.shape))
                lines.append(f"  {quoted(owners[index])} -> {quoted(layer.name)} [label={label}, fontsize=10];")
            owners.update(dict.fromkeys(node.top_ids, layer.name))
    boxes = [f"  {quoted(name)} [{attributes(_label(nodes), _style(nodes[0]))}];" for name, nodes in folded.items()]
    ends = []
    for name, index in zip(net.outputs, net.graph.output_ids, strict=True):
        end, blob = quoted(f"output {name}"), net.graph.blobs[index]
        ends.append(f"  {end} [{attributes(quoted(name), SOURCE)}];")
        ends.append(f"  {quoted(owners[index])} -> {end} [label={quoted(shape_text(blob.shape))}, fontsize=10];")
    head = [f"digraph {quoted(net.name or 'Net')} {{", f"  rankdir={rankdir};", "  nodesep=0.3; ranksep=0.35;"]
    return "\n".join([*head, *boxes, *lines, *ends, "}", ""])


def _label(nodes: list[Node]) -> str:
    """The layer's name, its type and geometry, and the layers that are folded into it."""
    first, *others = (node.layer for node in nodes)
    rows = [first.name, f"{first.type}{_geometry(first)}"]
    if others:
        rows.append("+ " + ", ".join(layer.type for layer in others))
    return quoted(r"\n".join(rows))


def _geometry(layer: NativeLayer) -> str:
    """Kernel, stride, pad and dilation, where there are some and they are not the usual ones."""
    windows: SpatialWindow | PoolingWindow
    words = []
    if isinstance(layer, Convolution | Deconvolution | Im2col):
        windows = layer.windows
    elif isinstance(layer, Pooling) and not layer.covers_map:
        windows = layer.window
        words.append(f" {get_pooling_types_dict()[layer.method]}")
    else:
        return ""
    words.append(f" {'×'.join(map(str, windows.kernel))}")
    for sign, values, usual in (
        ("stride ", windows.stride, 1),
        ("pad ", windows.pad, 0),
        ("dilation ", getattr(windows, "dilation", ()), 1),
    ):
        if any(value != usual for value in values):
            words.append(f", {sign}{_sides(values)}")
    return "".join(words)


def _sides(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))


def _style(node: Node) -> dict[str, str]:
    if node.layer.type == "Input":
        return SOURCE
    return PLAIN | {"fillcolor": choose_color_by_layertype(node.layer.type)}
