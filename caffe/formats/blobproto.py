"""One blob as a BlobProto, in bytes. Caffe: Blob::FromProto, Blob::ToProto (blob.cpp).

    message BlobProto
      1..4  num, channels, height, width    the shape of files from before 2015: always 4-D
      5, 6  data, diff                      packed floats
      7     shape                           BlobShape { dim }
      8, 9  double_data, double_diff        packed doubles; they win over 5 and 6

Two forks store more than that, and are read, too. NVIDIA's Caffe and OpenCV's shrinkCaffeModel write

      10, 11  raw_data_type, raw_diff_type  0 double, 1 float, 2 half, 3 int, 4 unsigned int
      12, 13  raw_data, raw_diff            the numbers, in bytes

and C3D 1.0, whose blobs have a fifth axis before height and width, num, channels, length, height, width, data and diff
as the fields 1 to 7: a blob is of this kind if field 5 is a single integer.

Written are 5, 6 and 7, in this order, as Caffe writes them.
"""

import math
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

from caffe.errors import FormatError
from caffe.formats import wire
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

_LEGACY = ("num", "channels", "height", "width")
_FLOATS = {5: "data", 6: "diff"}
_DOUBLES = {8: "data", 9: "diff"}
_RAW = {12: ("data", 10), 13: ("diff", 11)}
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2", 3: "<i4", 4: "<u4"}
_C3D_SHAPE, _C3D_FLOATS = (1, 2, 3, 4, 5), {6: "data", 7: "diff"}
_MOST_PIECES = 1 << 16

MAX_AXES = 32
MAX_COUNT = 2**31 - 1


@dataclass
class BlobArrays:
    """A stored blob: float32 arrays of one shape, read-only views of the file where the file holds floats."""

    data: np.ndarray
    diff: np.ndarray | None = None


def decode(message: memoryview, source: str) -> BlobArrays:
    """The arrays of a BlobProto. Raises FormatError where the shape and the number of values disagree."""
    integers = {
        each.number: wire.read_varint(each.value, 0, source)[0]
        for each in wire.fields(message, source)
        if each.wire == wire.VARINT
    }
    is_c3d = _C3D_SHAPE[-1] in integers
    floats = _C3D_FLOATS if is_c3d else _FLOATS
    types: dict[int, np.dtype] = {number: np.dtype("<f4") for number in floats}
    if not is_c3d:
        types |= {number: np.dtype("<f8") for number in _DOUBLES} | _raw_types(integers, source)
    header, chunks = _sorted_out(message, types, source)
    shape = tuple(integers.get(number, 0) for number in _C3D_SHAPE) if is_c3d else _shape(header, source)
    check_shape(shape, source)
    values: dict[str, np.ndarray] = {}
    names = {**floats, **_DOUBLES, **{number: name for number, (name, _) in _RAW.items()}}
    for number, name in names.items():
        if parts := chunks.get(number):
            whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
            values[name] = _shaped(whole.astype(np.float32, copy=False), shape, name, source)
    if "data" not in values:
        values["data"] = _shaped(np.empty(0, np.float32), shape, "data", source)
    return BlobArrays(**values)


def _sorted_out(
    message: memoryview, types: dict[int, np.dtype], source: str
) -> tuple[bytes, dict[int, list[np.ndarray]]]:
    """The fields that are not of these types, and the arrays in those that are, by number."""
    chunks: dict[int, list[np.ndarray]] = {}
    header = bytearray()
    pieces = 0
    for each in wire.fields(message, source):
        if each.number not in types or each.wire == wire.GROUP:
            header += each.raw
            continue
        chunks.setdefault(each.number, []).append(each.array(types[each.number], source))
        pieces += 1
        if pieces > _MOST_PIECES:
            raise FormatError(f"{source}: a blob in more than {_MOST_PIECES:,} pieces. The file is damaged.")
    return bytes(header), chunks


def _raw_types(integers: dict[int, int], source: str) -> dict[int, np.dtype]:
    """The type of the numbers in each of the raw fields."""
    found = {}
    for number, (name, place) in _RAW.items():
        kind = integers.get(place, 0)
        if kind not in _RAW_TYPES:
            raise FormatError(
                f"{source}: raw_{name} is of the type {kind}, expected 0 to {max(_RAW_TYPES)}. Save the file again."
            )
        found[number] = np.dtype(_RAW_TYPES[kind])
    return found


def _shape(header: bytes, source: str) -> tuple[int, ...]:
    try:
        blob = caffe_pb2.BlobProto.FromString(header)
    except DecodeError as error:
        raise FormatError(
            f"{source}: the shape cannot be read ({error}). The file is damaged: copy it again."
        ) from error
    return shape_of(blob)


def shape_of(blob: caffe_pb2.BlobProto) -> tuple[int, ...]:
    """The shape that a BlobProto message declares, the 4-D fields of old files included."""
    if any(blob.HasField(name) for name in _LEGACY):
        return tuple(getattr(blob, name) for name in _LEGACY)
    return tuple(blob.shape.dim)


def check_shape(shape: tuple[int, ...], source: str) -> tuple[int, ...]:
    """The shape itself, if a Caffe blob can have it; else FormatError. Nothing is allocated."""
    if len(shape) > MAX_AXES or any(extent < 0 for extent in shape) or math.prod(shape) > MAX_COUNT:
        raise FormatError(
            f"{source}: found a blob of shape {shape_text(shape)}, expected at most {MAX_AXES} axes and {MAX_COUNT:,} "
            "values, no extent negative. The file is damaged: copy or download it again."
        )
    return shape


def _shaped(values: np.ndarray, shape: tuple[int, ...], name: str, source: str) -> np.ndarray:
    if values.size != math.prod(shape):
        raise FormatError(
            f"{source}: a blob of shape {shape_text(shape)} has {values.size:,} values of {name}, expected "
            f"{math.prod(shape):,}. The file is damaged or truncated: copy or download it again."
        )
    return values.reshape(shape)


def encode(data: np.ndarray, diff: np.ndarray | None = None) -> list[wire.Piece]:
    """A BlobProto as pieces to write; float32 arrays are not copied."""
    pieces = wire.packed(5, data, "<f4")
    if diff is not None:
        pieces += wire.packed(6, diff, "<f4")
    return pieces + wire.enclose(7, [caffe_pb2.BlobShape(dim=data.shape).SerializeToString()])
