"""Pictures of nets: layers are boxes, blobs octagons, arrows say how many channels a layer puts out.

As pycaffe's `caffe.draw`. The graph is written as text in Graphviz's language DOT (extension .dot, .gv or .raw);
for any other picture the program `dot` of Graphviz must be installed. Only `get_pydot_graph` needs the package pydot.
"""

import os
import shutil
import subprocess
from typing import Any

from caffe.errors import NetError, UsageError
from caffe.formats.atomic import open_atomic
from caffe.formats.upgrade import upgrade_net
from caffe.proto import caffe_pb2

LAYER_STYLE_DEFAULT = {"shape": "box", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "box", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
LAYER_COLORS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
LEARNERS = ("Convolution", "Deconvolution", "InnerProduct")
TEXT_EXTENSIONS = ("dot", "gv", "raw")


def get_pooling_types_dict() -> dict[int, str]:
    """The names of the pooling methods by their numbers: {0: "MAX", 1: "AVE", 2: "STOCHASTIC"}."""
    return {value.number: value.name for value in caffe_pb2.PoolingParameter.PoolMethod.DESCRIPTOR.values}


def get_edge_label(layer: Any) -> str:
    """The label of the arrows out of a layer: the batch size or the number of outputs; "" quoted, if neither."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """A layer's learning rate multipliers, of weights and of biases.

    Raises ValueError for types without weights and biases, and for more than two multipliers.
    """
    if layer.type not in LEARNERS:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier; only {', '.join(LEARNERS)} do.")
    if len(layer.param) > 2:
        raise ValueError(
            f"layer '{layer.name}': Could not parse the learning rate multiplier. It has {len(layer.param)}, expected "
            "at most two. Remove the others."
        )
    weights, biases, *_ = [param.lr_mult for param in layer.param] + [1.0, 1.0]
    return weights, biases


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """A layer's name, type and geometry, quoted for DOT; on one line where the graph runs up or down."""
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    words = [layer.name]
    if layer.type == "Pooling":
        words.append(f"(Pooling {get_pooling_types_dict()[layer.pooling_param.pool]})")
    else:
        words.append(f"({layer.type})")
    if layer.type == "Pooling":
        param = layer.pooling_param
        words += [f"kernel size: {param.kernel_size}", f"stride: {param.stride}", f"pad: {param.pad}"]
    elif layer.type in ("Convolution", "Deconvolution"):
        param = layer.convolution_param
        for word, values, default in (
            ("kernel size", param.kernel_size, 1),
            ("stride", param.stride, 1),
            ("pad", param.pad, 0),
        ):
            words.append(f"{word}: {values[0] if values else default}")
    if display_lrm and layer.type in LEARNERS and any(get_layer_lr_mult(layer)):
        words.append("lr mult: {:.1f}, {:.1f}".format(*get_layer_lr_mult(layer)))
    return quoted(separator.join(words))


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's box."""
    return LAYER_COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def dot_text(
    caffe_net: Any,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> str:
    """A NetParameter as a graph in DOT. Nets in Caffe's older forms are drawn as their newest form.

    rankdir: which way the graph runs: LR, RL, TB or BT. phase: caffe.TRAIN or caffe.TEST; None: the layers of both.
    label_edges: channels on the arrows. display_lrm: learning rate multipliers in the boxes.
    Raises NetError for a layer with both include and exclude rules.
    """
    net = caffe_pb2.NetParameter()
    net.CopyFrom(caffe_net)
    upgrade_net(net, net.name or "Net")
    nodes: dict[str, str] = {}
    edges = []
    for layer in net.layer:
        if not _is_shown(layer, phase):
            continue
        node = quoted(f"{layer.name}_{layer.type}")
        in_place = len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)
        style = (
            NEURON_LAYER_STYLE
            if in_place
            else LAYER_STYLE_DEFAULT | {"fillcolor": choose_color_by_layertype(layer.type)}
        )
        nodes[node] = attributes(get_layer_label(layer, rankdir, display_lrm), style)
        for blob in (*layer.bottom, *layer.top):
            nodes[quoted(f"{blob}_blob")] = attributes(quoted(blob), BLOB_STYLE)
        edges += [(quoted(f"{blob}_blob"), node, '""') for blob in layer.bottom]
        label = get_edge_label(layer) if label_edges else '""'
        edges += [(node, quoted(f"{blob}_blob"), label if label == '""' else quoted(label)) for blob in layer.top]
    lines = [f"digraph {quoted(net.name or 'Net')} {{", f"  rankdir={rankdir};"]
    lines += [f"  {node} [{attributes}];" for node, attributes in nodes.items()]
    lines += [f"  {source} -> {target} [label={label}];" for source, target, label in edges]
    return "\n".join([*lines, "}", ""])


def get_pydot_graph(
    caffe_net: Any,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """The same graph as a pydot.Dot. Raises UsageError where pydot is not installed."""
    try:
        import pydot
    except ImportError as error:
        raise UsageError(
            "get_pydot_graph: the package pydot is not installed. Install it (pip install pydot), or draw without it: "
            "draw_net_to_file(net, 'net.dot')."
        ) from error
    graphs: Any = pydot.graph_from_dot_data(dot_text(caffe_net, rankdir, label_edges, phase, display_lrm))
    return graphs[0]


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The bytes of a picture of a NetParameter, in any format that Graphviz writes: png, svg, pdf, …; dot, gv and raw
    give the graph's text. See `dot_text` for the rest.

    Raises UsageError where Graphviz is not installed or does not know the format.
    """
    return picture(dot_text(caffe_net, rankdir, phase=phase, display_lrm=display_lrm), ext)


def picture(graph: str, ext: str) -> bytes:
    """The bytes of a picture of a graph in DOT, of a kind as for `draw_net`, which says what is raised."""
    text = graph.encode()
    if ext in TEXT_EXTENSIONS:
        return text
    program = shutil.which("dot")
    if program is None:
        raise UsageError(
            f"draw_net: drawing a {ext} picture takes Graphviz, whose program `dot` was not found. Install Graphviz, "
            "or write the graph's text: draw_net_to_file(net, 'net.dot')."
        )
    done = subprocess.run([program, f"-T{ext}"], input=text, capture_output=True, check=False)
    if done.returncode:
        raise UsageError(
            f"draw_net: Graphviz could not draw a {ext} picture: {done.stderr.decode().strip()}."
            " Correct what Graphviz names, or write the graph's text: draw_net_to_file(net, 'net.dot')."
        )
    return done.stdout


def draw_net_to_file(
    caffe_net: Any,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Draw a NetParameter into a file whose extension says which kind of picture; see `draw_net`."""
    write_picture(dot_text(caffe_net, rankdir, phase=phase, display_lrm=display_lrm), filename)


def write_picture(graph: str, filename: str | os.PathLike[str]) -> None:
    """Draw a graph in DOT into a file whose extension says which kind of picture; see `draw_net`."""
    content = picture(graph, os.path.splitext(filename)[1].lstrip("."))
    with open_atomic(filename) as file:
        file.write(content)


def _is_shown(layer: Any, phase: int | None) -> bool:
    if phase is None:
        return True
    if layer.include and layer.exclude:
        raise NetError(f"layer {layer.name} has both include and exclude specified. Keep one kind of rule.")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)


def quoted(text: str) -> str:
    """Text as a DOT string; `\\n` in it stays a line break."""
    return '"' + text.replace('"', r"\"") + '"'


def attributes(label: str, style: dict[str, str]) -> str:
    """The attributes of a DOT node, in brackets. label: quoted."""
    return ", ".join([f"label={label}", *(f'{key}="{value}"' for key, value in style.items())])
