"""One blob as a BlobProto, in bytes. Caffe: Blob::FromProto, Blob::ToProto (blob.cpp).

    message BlobProto
      1..4  num, channels, height, width    the shape of files from before 2015: always 4-D
      5, 6  data, diff                      packed floats
      7     shape                           BlobShape { dim }
      8, 9  double_data, double_diff        packed doubles; they win over 5 and 6

Written are 5, 6 and 7, in this order, as Caffe writes them.
"""

import math
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

from caffe.errors import FormatError
from caffe.formats import wire
from caffe.proto import caffe_pb2

_LEGACY = ("num", "channels", "height", "width")
_FLOATS = {5: "data", 6: "diff"}
_DOUBLES = {8: "data", 9: "diff"}

MAX_AXES = 32
MAX_COUNT = 2**31 - 1


@dataclass
class BlobArrays:
    """A stored blob: float32 arrays of one shape, read-only views of the file where the file holds floats."""

    data: np.ndarray
    diff: np.ndarray | None = None


def decode(message: memoryview, source: str) -> BlobArrays:
    """The arrays of a BlobProto. Raises FormatError where the shape and the number of values disagree."""
    chunks: dict[int, list[np.ndarray]] = {}
    header = bytearray()
    for field in wire.fields(message, source):
        if field.number in _FLOATS:
            chunks.setdefault(field.number, []).append(field.array(np.dtype("<f4"), source))
        elif field.number in _DOUBLES:
            chunks.setdefault(field.number, []).append(field.array(np.dtype("<f8"), source))
        else:
            header += field.raw
    shape = _shape(bytes(header), source)
    values: dict[str, np.ndarray] = {}
    for number, name in (*_FLOATS.items(), *_DOUBLES.items()):
        if parts := chunks.get(number):
            whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
            values[name] = _shaped(whole.astype(np.float32, copy=False), shape, name, source)
    if "data" not in values:
        values["data"] = _shaped(np.empty(0, np.float32), shape, "data", source)
    return BlobArrays(**values)


def _shape(header: bytes, source: str) -> tuple[int, ...]:
    try:
        blob = caffe_pb2.BlobProto.FromString(header)
    except DecodeError as error:
        raise FormatError(
            f"{source}: the shape cannot be read ({error}). The file is damaged: copy it again."
        ) from error
    return check_shape(shape_of(blob), source)


def shape_of(blob: caffe_pb2.BlobProto) -> tuple[int, ...]:
    """The shape that a BlobProto message declares, the 4-D fields of old files included."""
    if any(blob.HasField(name) for name in _LEGACY):
        return tuple(getattr(blob, name) for name in _LEGACY)
    return tuple(blob.shape.dim)


def check_shape(shape: tuple[int, ...], source: str) -> tuple[int, ...]:
    """The shape itself, if a Caffe blob can have it; else FormatError. Nothing is allocated."""
    if len(shape) > MAX_AXES or any(extent < 0 for extent in shape) or math.prod(shape) > MAX_COUNT:
        raise FormatError(
            f"{source}: found a blob of shape {_text(shape)}, expected at most {MAX_AXES} axes and {MAX_COUNT:,} "
            "values, no extent negative. The file is damaged: copy or download it again."
        )
    return shape


def _shaped(values: np.ndarray, shape: tuple[int, ...], name: str, source: str) -> np.ndarray:
    if values.size != math.prod(shape):
        raise FormatError(
            f"{source}: a blob of shape {_text(shape)} has {values.size:,} values of {name}, expected "
            f"{math.prod(shape):,}. The file is damaged or truncated: copy or download it again."
        )
    return values.reshape(shape)


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"


def encode(data: np.ndarray, diff: np.ndarray | None = None) -> list[wire.Piece]:
    """A BlobProto as pieces to write; float32 arrays are not copied."""
    pieces = wire.packed(5, data, "<f4")
    if diff is not None:
        pieces += wire.packed(6, diff, "<f4")
    return pieces + wire.enclose(7, [caffe_pb2.BlobShape(dim=data.shape).SerializeToString()])
