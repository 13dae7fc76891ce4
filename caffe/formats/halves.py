"""Weights as half floats: a caffemodel of half the size, in the fields that NVIDIA's Caffe and OpenCV have for them.

Numbers keep 11 bits of 24. Read by this engine, NVIDIA's Caffe and OpenCV; not by BVLC Caffe.
"""

import os
from collections.abc import Sequence

import numpy as np

from caffe.errors import FormatError
from caffe.formats import wire
from caffe.formats.atomic import open_atomic
from caffe.formats.caffemodel import LayerWeights
from caffe.formats.mapped import PathLike
from caffe.proto import caffe_pb2

_LAYER, _BLOBS = 100, 7
_SHAPE, _TYPE, _DATA = 7, 10, 12
_HALF = 2


def write(path: PathLike, layers: Sequence[LayerWeights]) -> None:
    """Write the weights of layers, atomically. Raises FormatError for a weight beyond the range of half floats, or one
    that is missing or not finite."""
    pieces: list[wire.Piece] = []
    for layer in layers:
        head = caffe_pb2.LayerParameter(name=layer.name, type=layer.type).SerializeToString()
        blobs = [wire.enclose(_BLOBS, _blob(path, layer.name, data)) for data in layer.blobs]
        pieces += wire.enclose(_LAYER, [head, *(piece for blob in blobs for piece in blob)])
    wire.check_size(pieces, path)
    with open_atomic(path) as file:
        file.writelines(pieces)


def _blob(path: PathLike, name: str, data: np.ndarray | None) -> list[wire.Piece]:
    most = float(np.finfo(np.float16).max)
    if data is None or not (np.abs(data) <= most).all():
        raise FormatError(
            f"{os.fspath(path)}: layer '{name}' has weights that are missing, not finite or beyond ±{most:g}, expected "
            "such that half floats can hold. Write floats instead: net.save."
        )
    shape = caffe_pb2.BlobShape(dim=data.shape).SerializeToString()
    kind = wire.varint(_TYPE << 3) + wire.varint(_HALF)
    return [*wire.enclose(_SHAPE, [shape]), kind, *wire.enclose(_DATA, [np.ascontiguousarray(data, "<f2").tobytes()])]
