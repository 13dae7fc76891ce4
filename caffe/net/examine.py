"""The checks of a net without its data, for `caffe check`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import Message

from caffe import dialect, forks, layer_types
from caffe.errors import CaffeError, FormatError
from caffe.formats import prototxt, weight_files
from caffe.layer_types.base import layer_class
from caffe.layer_types.helpers.python_modules import is_there
from caffe.net import dialects
from caffe.net.fork_names import TYPES
from caffe.net.net import Net
from caffe.net.passes import filter_net
from caffe.net.trained_layers import fit
from caffe.proto import caffe_pb2

PHASES = {"TRAIN": caffe_pb2.TRAIN, "TEST": caffe_pb2.TEST}
MEANINGS = {
    "BN": "PSPNet's, with running averages, by slope_filler, bias_filler, momentum, eps, frozen or four `param`s; else "
    "SegNet's",
    "BatchNorm": "NVIDIA Caffe's, with scale and bias, by scale_bias or a filler; else BVLC's",
    "Upsample": "SegNet's, by a mask, with two bottoms; YOLO's, of the nearest, with one",
    "Normalize": "NormFace's by normalize_param; else SSD's",
    "SmoothL1Loss": "Fast R-CNN's, with sigma; SSD's is the same with sigma 1",
    "VideoData": "C3D's list of clips by `source`; else SSD's camera or file",
    "SigmoidCrossEntropyLoss": "BVLC's; HED's, balanced, has no word of its own: choose dialect 'hed'",
    "PriorBox": "SSD's; FaceBoxes', with more boxes, has no word of its own: choose dialect 'faceboxes'",
    "Crop": "BVLC's, from the corner where no offset is given; by coordinates: choose dialect 'crop'",
}
"""Types that several forks have under one name: which is meant here, and how it is recognised."""
SOURCES = ("Data", "ImageData", "HDF5Data", "WindowData", "MemoryData")


@dataclass
class NetFindings:
    """The results: lines to print, and the problems that keep the net from running."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    net: Net | None = None


def read(path: str, allow_unknown: bool, found: NetFindings) -> caffe_pb2.NetParameter:
    """The net in a prototxt. Unknown fields are problems, and are then left aside, so that the rest is told, too."""
    layer_types.load()
    forks.load()
    try:
        return prototxt.read_net(path, allow_unknown=allow_unknown or None)
    except FormatError as error:
        found.problems.append(str(error))
        return prototxt.read_net(path, allow_unknown=True)


def words(net: caffe_pb2.NetParameter, found: NetFindings) -> None:
    """Forks, missing types, Python layers, refused fields, and types and fields with several meanings."""
    by_fork: dict[str, dict[str, None]] = {}
    for layer in net.layer:
        if layer.type in TYPES:
            by_fork.setdefault(TYPES[layer.type], {})[layer.type] = None
    for fork, types in by_fork.items():
        found.lines.append(f"Made for {fork}: {', '.join(types)}")
    if fields := dict.fromkeys(_foreign_fields(net)):
        found.lines.append(f"Fields that only forks have: {', '.join(fields)}")
    for type_ in dict.fromkeys(layer.type for layer in net.layer):
        if type_ in MEANINGS and _has_several(net, type_):
            found.lines.append(f"Several meanings: {type_}: {MEANINGS[type_]}")
    if names := dialect.chosen(net.dialect, net.name):
        found.lines.append(f"Dialect: {', '.join(names)}")
    for layer in net.layer:
        if layer.type == "Python":
            module = layer.python_param.module
            there = is_there(module)
            where = "its module is there" if there else "its module is not on sys.path"
            found.lines.append(f"Python layer '{layer.name}': {module}.{layer.python_param.layer}, {where}")
            if not there:
                found.problems.append(f"layer '{layer.name}': there is no module '{module}'. Put it on PYTHONPATH.")
    try:
        dialects.check(net)
    except CaffeError as error:
        found.problems.append(str(error))


def _has_several(net: caffe_pb2.NetParameter, type_: str) -> bool:
    if type_ == "Crop":
        return any(layer.type == type_ and not layer.HasField("crop_param") for layer in net.layer)
    return type_ != "BatchNorm" or any(dialects.scales(layer) for layer in net.layer)


def _foreign_fields(message: Message, place: str = "") -> Iterator[str]:
    kind = message.DESCRIPTOR.name
    for descriptor, value in message.ListFields():
        name = place + descriptor.name
        if f"{kind}.{descriptor.name}" in caffe_pb2.FORKS and descriptor.name not in ("unknown_fields", "dialect"):
            yield name
        elif descriptor.message_type is not None and kind in ("NetParameter", "LayerParameter"):
            inner = "" if descriptor.name == "layer" else f"{name}."
            for each in value if hasattr(value, "extend") else [value]:
                yield from _foreign_fields(each, inner)


def build(net: caffe_pb2.NetParameter, found: NetFindings) -> None:
    """Build the net of each phase that it has, where no layer of it reads data or is the user's own."""
    if found.problems:
        return
    deploys = bool(net.input) or any(layer.type == "Input" for layer in net.layer)
    for name, phase in PHASES.items():
        if deploys and name == "TRAIN":
            continue
        state = caffe_pb2.NetState(phase=phase)
        filtered = filter_net(net, state)
        reading = [layer for layer in filtered.layer if _reads(layer)]
        if reading:
            types = ", ".join(f"'{layer.name}' ({layer.type})" for layer in reading)
            found.lines.append(f"{name}: {types} would read data; shapes are not checked")
            continue
        try:
            copy = caffe_pb2.NetParameter()
            copy.CopyFrom(net)
            copy.state.phase = phase
            found.net = Net.from_message(copy)
        except CaffeError as error:
            found.problems.append(f"{name}: {error}")
            return
        parameters = sum(blob.count for blobs in found.net.params.values() for blob in blobs)
        found.lines.append(f"{name}: {len(filtered.layer)} layers, {parameters:,} parameters")
    if found.net is None:
        found.lines.append("Layers with parameters are told by their names alone")


def _reads(layer: caffe_pb2.LayerParameter) -> bool:
    """Whether building the layer needs files, or runs a program of the user's."""
    cls = layer_class(layer.type)
    return layer.type == "Python" or (
        not layer.bottom and cls is not None and layer.type not in ("Input", "DummyData", "Parameter")
    )


def weights(path: str, found: NetFindings) -> None:
    """Which layers a file has weights for, and whether they fit."""
    stored = weight_files.read(path)
    if found.net is None:
        found.lines.append(f"{path}: weights of {', '.join(each.name for each in stored if each.blobs) or 'no layer'}")
        return
    loads, problems = fit(found.net.nodes, stored)
    found.problems += [f"{path}: {problem}" for problem in problems]
    without = [name for name in found.net.params if name not in loads]
    others = [each.name for each in stored if each.blobs and each.name not in found.net.params]
    found.lines.append(f"{path}: weights for {len(loads)} of {len(found.net.params)} layers")
    if without:
        found.lines.append(f"Without weights, left as their fillers make them: {', '.join(without)}")
    if others:
        found.lines.append(f"Weights of layers that the net does not have: {', '.join(others)}")
