"""Caffe's binary messages: weights, solver states, mean files and Datums."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from google.protobuf import text_format

import caffe
from caffe.data.batch_sources import parse_datum
from caffe.data.transformer import DataTransformer
from caffe.formats import binaryproto, caffemodel, solverstate, summary, weight_files
from caffe.proto import caffe_pb2
from tests.faults import wire_fields
from tests.faults.child import Input, Reader
from tests.faults.readers.folders import encoded
from tests.faults.readers.prototxts import SOLVER, net_text

SHAPES = {"conv": ((4, 3, 3, 3), (4,)), "ip": ((4, 120), (4,))}
"""Of the parameters of the small net, by layer."""


def written(write: Callable[[Path], object], suffix: str = "") -> bytes:
    """The bytes that a writer puts into a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"file{suffix}")
        write(path)
        return path.read_bytes()


def arrays(seed: int = 0) -> dict[str, list[np.ndarray]]:
    rng = np.random.RandomState(seed)
    return {
        layer: [rng.standard_normal(shape).astype(np.float32) for shape in shapes] for layer, shapes in SHAPES.items()
    }


def damage(name: str) -> Callable[[Input, random.Random], Input]:
    """Damage to the message in file `name` of an input."""

    def change(files: Input, draw: random.Random) -> Input:
        return {**files, name: wire_fields.damaged(files[name], draw)}

    return change


def _model(path: Path) -> None:
    net = caffe_pb2.NetParameter(name="small")
    for layer in SHAPES:
        net.layer.add(name=layer, type="Convolution", bottom=["data"], top=[layer])
    caffemodel.write(path, net, [[(array, array) for array in blobs] for blobs in arrays().values()])


def _old_models() -> list[bytes]:
    """As Caffe wrote them in 2014 and 2013: blobs elsewhere, and shapes of four numbers; and with half floats."""
    found = []
    for layers in ("layers { name: 'conv' type: CONVOLUTION %s }", "layers { layer { name: 'conv' type: 'conv' %s } }"):
        blobs = "blobs { num: 4 channels: 3 height: 3 width: 3 %s } blobs { num: 1 channels: 1 height: 1 width: 4 %s }"
        text = layers % (blobs % ("data: 0.5 " * 108, "double_data: 0.25 " * 4))
        found.append(text_format.Parse(text, caffe_pb2.NetParameter()).SerializeToString())
    shape = wire_fields.Field(7, 2, wire_fields.varint(4))
    shape.inner = [wire_fields.Field(1, 2, bytes([4, 3, 3, 3]))]
    raw = wire_fields.Field(12, 2, np.ones(108, np.float16).tobytes())
    blob = wire_fields.Field(7, 2, b"", [shape, wire_fields.Field(10, 0, b"\2"), raw])
    layer = [wire_fields.Field(1, 2, b"conv"), wire_fields.Field(2, 2, b"Convolution"), blob]
    return [*found, wire_fields.encode([wire_fields.Field(100, 2, b"", layer)])]


def _models() -> list[Input]:
    models = [written(_model)] * 3 + _old_models()
    return [{"weights.caffemodel": model, "net.prototxt": net_text().encode()} for model in models]


def _read_model(folder: Path) -> None:
    """Into a net, as a whole message, and as a summary."""
    path = str(folder / "weights.caffemodel")
    weight_files.read(path)
    summary.summarize(path)
    caffe.Net("net.prototxt", caffe.TEST, weights=path)


def state(path: Path) -> None:
    history = [array for blobs in arrays().values() for array in blobs]
    solverstate.write(path, solverstate.State(2, "", history, 1))


def solver_files() -> Input:
    return {"solver.prototxt": SOLVER.format(policy="step", type="SGD").encode(), "net.prototxt": net_text().encode()}


def _states() -> list[Input]:
    return [{"x.solverstate": written(state), **solver_files()}]


def _read_state(folder: Path) -> None:
    path = folder / "x.solverstate"
    solverstate.read(path)
    summary.summarize(str(path))
    caffe.get_solver("solver.prototxt").restore(str(path))


def _mean(path: Path) -> None:
    binaryproto.write(path, np.arange(3 * 6 * 5, dtype=np.float32).reshape(1, 3, 6, 5))


def _means() -> list[Input]:
    double = caffe_pb2.BlobProto(num=1, channels=3, height=6, width=5, double_data=range(90))
    return [{"mean.binaryproto": content} for content in (written(_mean), double.SerializeToString())]


def _read_mean(folder: Path) -> None:
    path = folder / "mean.binaryproto"
    binaryproto.read(path)
    summary.summarize(str(path))
    DataTransformer(caffe_pb2.TransformationParameter(mean_file=str(path)), caffe.TEST, "layer 'data' (Data)")


def datums() -> list[bytes]:
    pixels = np.arange(90, dtype=np.uint8).reshape(3, 6, 5)
    plain = caffe_pb2.Datum(channels=3, height=6, width=5, data=pixels.tobytes(), label=3)
    floats = caffe_pb2.Datum(channels=3, height=6, width=5, float_data=range(90), label=-1)
    image = caffe_pb2.Datum(data=encoded(pixels.transpose(1, 2, 0).copy()), encoded=True, label=2)
    photo = caffe_pb2.Datum(data=encoded(pixels.transpose(1, 2, 0).copy(), "JPEG"), encoded=True)
    return [each.SerializeToString() for each in (plain, floats, image, photo)]


def _read_datum(folder: Path) -> None:
    """As a Data layer does, and as `caffe.io` does."""
    name = str(folder / "datum")
    for settings in ("", "crop_size: 4 mirror: true", "force_color: true scale: 0.5"):
        param = text_format.Parse(settings, caffe_pb2.TransformationParameter())
        transformer = DataTransformer(param, caffe.TRAIN, "layer 'data' (Data)")
        transformer.start_random()
        datum = parse_datum((folder / "datum").read_bytes(), name)
        image = transformer.from_datum(datum, name)
        transformer.top_shape(image.shape, name)
        transformer.apply(image, name)
    caffe.io.datum_to_array(datum)


READERS = (
    Reader("caffemodel", _models, damage("weights.caffemodel"), _read_model),
    Reader("solverstate", _states, damage("x.solverstate"), _read_state),
    Reader("binaryproto", _means, damage("mean.binaryproto"), _read_mean),
    Reader("datum", lambda: [{"datum": each} for each in datums()], damage("datum"), _read_datum, ("datum_to_array",)),
)
