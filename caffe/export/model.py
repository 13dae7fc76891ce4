"""From a net to an ONNX graph, and from the graph to a file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caffe.errors import NetError, UsageError
from caffe.export import registry
from caffe.export.freedom import Freedom
from caffe.export.onnx_graph import OnnxGraph, OnnxOperation, OnnxValue
from caffe.formats.atomic import open_atomic
from caffe.net import Net
from caffe.net.graph import Node
from caffe.proto import caffe_pb2
from caffe.version import VERSION

OLDEST, NEWEST, USUAL = 13, 22, 17
"""Opsets: the oldest and newest that the converters write, and the one they write unless told otherwise."""
LARGEST = 2**31 - 2**20
"""Bytes of weights that fit into an ONNX file of its own, which is a protobuf message."""


class Exported:
    """A net's graph, its inputs and outputs.

    inputs: name → what its axes are called, None where the size is fixed. outputs: name → shape, None where it varies.
    blobs: name of an output → the blob that it is.
    """

    def __init__(self, net: Net, graph: OnnxGraph, freedom: Freedom, blobs: dict[str, str]):
        self.name = net.name or "net"
        self.graph, self.free = graph, freedom.free
        used = {name for operation in graph.operations for name in operation.inputs}
        self.inputs = {name: axes for name, axes in freedom.inputs.items() if name in used}
        self.input_shapes = {name: net.blobs[name].shape for name in self.inputs}
        self.blobs = blobs
        self.outputs = {name: freedom.blobs[blob] for name, blob in blobs.items()}


def exported(
    net: Net,
    *,
    outputs: Sequence[str] = (),
    fixed: bool = False,
    opset: int = USUAL,
    half: bool = False,
) -> Exported:
    """A net of phase TEST as an ONNX graph.

    outputs: blobs that the graph computes (none: the net's outputs), with the layers that they depend on. fixed: all
    sizes are those that the net has now; otherwise batch, height and width stay free where the net allows it. opset:
    ONNX's. half: numbers of 16 bits inside. Raises UsageError for a wrong opset, output or phase, and NetError that
    names every layer that cannot be exported.
    """
    if not OLDEST <= opset <= NEWEST:
        raise UsageError(f"export: opset {opset}, expected {OLDEST} … {NEWEST}. Give one of these.")
    if net.phase != caffe_pb2.TEST:
        raise UsageError("export: the net is of phase TRAIN, expected TEST. Build it with caffe.TEST.")
    wanted = list(outputs) or _computed(net)
    unknown = [name for name in wanted if name not in net.blobs]
    if unknown or not wanted:
        raise UsageError(
            f"export: no blob {', '.join(unknown) or 'is computed'} in net '{net.name}'. Its blobs are "
            f"{', '.join(net.blobs)}."
        )
    nodes = _needed(net, wanted)
    converters = registry.load()
    _check_types(nodes, converters)
    kinds = {registry.kind_of(node.layer) for node in nodes}
    fixes = {converters[kind].fixes for kind in kinds if kind in converters}
    allowed = {"batch", "streams", "size"} - ({"size"} if "size" in fixes else set())
    if fixed or "all" in fixes:
        allowed = set()
    number = np.float16 if half else np.float32
    try:
        graph, freedom = OnnxGraph(opset, number), Freedom(net, allowed)
        blobs = _fill(net, graph, nodes, freedom, wanted)
    except registry.NeedsFixedSizes:
        graph, freedom = OnnxGraph(opset, number), Freedom(net, set())
        blobs = _fill(net, graph, nodes, freedom, wanted)
    return Exported(net, graph, freedom, blobs)


def _computed(net: Net) -> list[str]:
    """The net's outputs, less inputs that no layer changes."""
    writers = {index: node.layer.type for node in net.nodes for index in node.top_ids}
    numbers = zip(net.outputs, net.graph.output_ids, strict=True)
    return [name for name, index in numbers if writers[index] != "Input"]


def _needed(net: Net, outputs: Sequence[str]) -> list[Node]:
    """The layers that the outputs depend on."""
    names = net.graph.blob_names
    wanted, found = set(outputs), []
    for node in reversed(net.nodes):
        if {names[index] for index in node.top_ids} & wanted:
            wanted |= {names[index] for index in node.bottom_ids}
            found.append(node)
    return found[::-1]


def _check_types(nodes: list[Node], converters: Mapping[str, object]) -> None:
    bad = [node.layer for node in nodes if registry.kind_of(node.layer) not in (*converters, "Input")]
    if bad:
        words = "; ".join(f"{layer}: {registry.why_not(registry.kind_of(layer))}" for layer in bad)
        raise NetError(f"This net cannot be exported to ONNX. {words}. Nothing was written.", layer=bad[0].name)


def _fill(net: Net, graph: OnnxGraph, nodes: list[Node], freedom: Freedom, wanted: Sequence[str]) -> dict[str, str]:
    """Convert the layers; the outputs' names and which blobs they are."""
    names = net.graph.blob_names
    last_writer = {index: number for number, node in enumerate(nodes) for index in node.top_ids}
    inputs = {index for node in nodes if node.layer.type == "Input" for index in node.top_ids}
    for index in last_writer:
        graph.reserve(names[index])
    now: dict[int, str] = {}
    problems: list[str] = []
    for number, node in enumerate(nodes):
        layer = node.layer
        if layer.type == "Input":
            now.update((index, _entry(graph, names[index])) for index in node.top_ids)
            continue
        graph.prefix, since = layer.name, len(graph.operations)
        bottoms = [_value(net, freedom, index, now[index]) for index in node.bottom_ids]
        tops = [_value(net, freedom, index, names[index]) for index in node.top_ids]
        try:
            found = list(registry.CONVERTERS[registry.kind_of(layer)].convert(graph, layer, bottoms, tops))
        except registry.NotExportable as error:
            problems.append(f"{layer}: {error}")
            found = [top.name for top in tops]
        made = {name for operation in graph.operations[since:] for name in operation.outputs}
        for index, name in zip(node.top_ids, found, strict=False):
            now[index] = name
            if name in made and last_writer[index] == number and index not in inputs:
                made.discard(name)
                graph.rename(name, names[index], since)
                now[index] = names[index]
    if problems:
        raise NetError(f"This net cannot be exported to ONNX. {'; '.join(problems)}. Nothing was written.")
    graph.prefix = ""
    return dict(_ended(graph, blob, now[names.index(blob)], names.index(blob) in inputs) for blob in wanted)


def _value(net: Net, freedom: Freedom, index: int, name: str) -> OnnxValue:
    blob = net.graph.blob_names[index]
    return OnnxValue(name, freedom.blobs[blob], net.graph.blobs[index].shape)


def _entry(graph: OnnxGraph, name: str) -> str:
    """An input, in the graph's own precision."""
    return graph.add("Cast", [name], to=10) if graph.kind is np.float16 else name


def _ended(graph: OnnxGraph, blob: str, present: str, is_input: bool) -> tuple[str, str]:
    """Give a blob as an output of 32 bits; the output's name, which is the blob's unless that is an input's."""
    name = graph.reserve(f"{blob}_out") if is_input else blob
    half = graph.kind is np.float16
    if half and present == name:
        present = graph.reserve(f"{name}/half")
        graph.rename(name, present, 0)
    if present != name:
        settings = {"to": 1} if half else {}
        graph.operations.append(
            OnnxOperation("Cast" if half else "Identity", [present], [name], f"{name}/out", settings)
        )
    return name, blob


def metadata(
    *, classes: Sequence[str] = (), mean: Sequence[float] = (), channel_order: str = "BGR", more: Mapping[str, str] = {}
) -> dict[str, str]:
    """What a reader of the file should know, as ONNX's metadata: texts by name, lists as JSON."""
    found = {"channel_order": channel_order, "fcn_caffe_version": VERSION, **more}
    if classes:
        found["class_names"] = json.dumps(list(classes), ensure_ascii=False)
    if mean:
        found["mean"] = json.dumps([float(value) for value in mean])
    return found


def to_message(found: Exported, properties: Mapping[str, str] = {}) -> Any:
    """The ONNX ModelProto. Raises UsageError where the package onnx is missing or too old, or weights are too large."""
    try:
        from onnx import TensorProto, checker, defs, helper, numpy_helper
        from onnx import __version__ as installed
    except ImportError as error:
        raise UsageError("export: writing ONNX needs the package onnx. Run pip install 'fcn-caffe[onnx]'.") from error
    if found.graph.opset > defs.onnx_opset_version():
        raise UsageError(
            f"export: opset {found.graph.opset}, expected at most {defs.onnx_opset_version()}, the newest that onnx "
            f"{installed} knows. Give a lower one, or run pip install --upgrade onnx."
        )
    size = sum(values.nbytes for values in found.graph.constants.values())
    if size > LARGEST:
        raise UsageError(
            f"export: {size:,} bytes of weights, expected at most {LARGEST:,} in an ONNX file. Try --fp16."
        )
    nodes = []
    for each in found.graph.operations:
        attributes: dict[str, Any] = {
            name: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
            for name, value in each.attributes.items()
        }
        nodes.append(helper.make_node(each.op, each.inputs, each.outputs, each.name, **attributes))
    inputs = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [word or size for word, size in zip(words, found.input_shapes[name], strict=True)]
        )
        for name, words in found.inputs.items()
    ]
    outputs = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [f"{name}_{i}" if size is None else size for i, size in enumerate(shape)]
        )
        for name, shape in found.outputs.items()
    ]
    opsets = [helper.make_opsetid("", found.graph.opset)]
    model = helper.make_model(
        helper.make_graph(nodes, found.name, inputs, outputs),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="fcn-caffe",
        producer_version=VERSION,
    )
    helper.set_model_props(model, dict(properties))
    for name, values in found.graph.constants.items():  # one by one: no second copy of all weights
        tensor = model.graph.initializer.add(name=name, data_type=helper.np_dtype_to_tensor_dtype(values.dtype))
        tensor.dims.extend(values.shape)
        tensor.raw_data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    checker.check_model(model)
    return model


def described(found: Exported) -> str:
    """Inputs and outputs with their shapes, as text."""

    def shape(sizes: Sequence[object]) -> str:
        return " × ".join("?" if size is None else str(size) for size in sizes)

    inputs = [
        f"{name} {shape([word or size for word, size in zip(words, found.input_shapes[name], strict=True)])}"
        for name, words in found.inputs.items()
    ]
    return f"{', '.join(inputs)} → {', '.join(f'{name} {shape(sizes)}' for name, sizes in found.outputs.items())}"


def write(model: Any, path: str) -> None:
    """The file, whole or not at all."""
    with open_atomic(path) as file:
        file.write(model.SerializeToString())
