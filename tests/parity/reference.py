"""The reference nets as they are trained in the comparison: with small databases drawn from a seed, where the prototxts
look for them; in batches of two, for ImageNet of one and at a hundredth of the rate; and with nothing random: no
mirroring, no dropout."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from google.protobuf import text_format

from caffe.data.database import new_database
from caffe.formats import binaryproto, prototxt
from caffe.proto import caffe_pb2
from tests.parity.bvlc import ROOT
from tests.parity.published import without_dropout

IMAGES = 6
SIZES = {"mnist": (1, 28, 28), "siamese": (2, 28, 28), "cifar10": (3, 32, 32)}
CLASSES = {"siamese": 2, "mnist": 10, "cifar10": 10}


def prepare(solver_path: Path, folder: Path) -> None:
    """Writes solver.prototxt, net.prototxt and what they read into a folder."""
    solver = text_format.Parse(solver_path.read_text(), caffe_pb2.SolverParameter())
    net = without_dropout(prototxt.read_net(str(ROOT / solver.net)))
    for layer in net.layer:
        if layer.type == "Data":
            _fill(layer, folder)
    (folder / "net.prototxt").write_text(text_format.MessageToString(net))
    solver.net = "net.prototxt"
    solver.iter_size = min(solver.iter_size, 2)
    solver.test_initialization = False
    if (folder / "examples/imagenet").exists():
        solver.base_lr /= 100
    (folder / solver.snapshot_prefix).parent.mkdir(parents=True)
    (folder / "solver.prototxt").write_text(text_format.MessageToString(solver))


def _fill(layer, folder: Path) -> None:
    data, transform = layer.data_param, layer.transform_param
    kind = data.source.split("/")[1]
    shape = SIZES.get(kind) or (3, transform.crop_size, transform.crop_size)
    data.batch_size = 1 if kind == "imagenet" else 2
    transform.mirror = False
    rng = np.random.RandomState(zlib.crc32(data.source.encode()))
    if transform.mean_file:
        path = folder / transform.mean_file
        path.parent.mkdir(parents=True, exist_ok=True)
        binaryproto.write(str(path), np.full((1, *shape), 120, np.float32) + rng.standard_normal(shape))
    if (folder / data.source).exists():
        return
    (folder / data.source).parent.mkdir(parents=True, exist_ok=True)
    backend = caffe_pb2.DataParameter.DB.Name(data.backend).lower()
    with new_database(folder / data.source, backend) as database:
        for index in range(IMAGES):
            datum = caffe_pb2.Datum(channels=shape[0], height=shape[1], width=shape[2])
            datum.data = rng.randint(0, 256, shape).astype(np.uint8).tobytes()
            datum.label = rng.randint(CLASSES.get(kind, 1000))
            database.put(b"%08d" % index, datum.SerializeToString())
