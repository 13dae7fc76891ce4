"""The repository's own nets, with Input layers in place of the layers that read files."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from caffe.formats import prototxt
from caffe.proto import caffe_pb2
from tests.parity.bvlc import ROOT

HEIGHT, WIDTH = 48, 64
CROP = 49
"""The side of a training net's crops, in place of 321: one more than a multiple of 8, too."""
READERS = {"Python", "ImageData", "Data", "HDF5Data"}
LABELS = {"label", "sem", "geo", "edges"}
ONE_CHANNEL = {"depth"}


def net_without_files(path: str | Path) -> str:
    """The prototxt with Input layers of a 64×48 image (or a classifier's) for readers, and without random dropout."""
    net = prototxt.read_net(str(path))
    for layer in net.layer:
        if layer.type in READERS:
            shapes = [_shape(top, layer) for top in layer.top]
            replaced = caffe_pb2.LayerParameter(name=layer.name, type="Input", top=layer.top, include=layer.include)
            for shape in shapes:
                replaced.input_param.shape.add(dim=shape)
            layer.CopyFrom(replaced)
    return text_format.MessageToString(without_dropout(net))


def net_without_dropout(path: str | Path) -> str:
    """The prototxt with dropout as in testing: nothing random."""
    return text_format.MessageToString(without_dropout(prototxt.read_net(str(path))))


def without_dropout(net):
    """The message, changed."""
    for layer in net.layer:
        if layer.type == "Dropout":
            layer.phase = caffe_pb2.TEST
    return net


def _shape(top: str, reader: Any) -> list[int]:
    segments = reader.type == "Python"
    if reader.bottom and top not in LABELS:  # a loss: its numbers are compared elsewhere
        return [1]
    cropped = segments and "crop" in ast.literal_eval(reader.python_param.param_str or "{}")
    size = [CROP, CROP] if cropped else [HEIGHT, WIDTH] if segments else [96, 96]
    if top in LABELS:
        return [1, 1, *size] if segments else [1]
    return [1, 1 if top in ONE_CHANNEL else 3, *size]


def write_solver(path: str | Path, folder: Path) -> None:
    """The solver and its nets, without readers of files, in `folder`."""
    solver = caffe_pb2.SolverParameter()
    text_format.Parse(Path(path).read_text(), solver)
    (folder / solver.snapshot_prefix).parent.mkdir(parents=True)
    for index, name in enumerate([solver.train_net, *solver.test_net]):
        (folder / f"net{index}.prototxt").write_text(net_without_files(ROOT / name))
    solver.train_net = "net0.prototxt"
    solver.test_net[:] = [f"net{index + 1}.prototxt" for index in range(len(solver.test_net))]
    (folder / "solver.prototxt").write_text(text_format.MessageToString(solver))
