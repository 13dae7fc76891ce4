"""Label maps from MATLAB files, which are not trusted.

SciPy's reader ends the process on some damaged files; this one reads only what labels need, and checks each size that a
file declares before it is used. The format is MATLAB's "MAT-File Level 5", of `save` without option, with -v6 or -v7:
nested elements, each with a tag that tells its type and size.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from fcn_caffe.data_layers.segdata import files

MOST_BYTES = 1 << 28
"""Of a file, and of what all of it unpacks to: room for a map of doubles with 33 million pixels."""

_HEADER = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ARRAY, _COMPRESSED = 14, 15
_KINDS = {1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}
_STRUCT, _FIRST_NUMERIC, _COMPLEX = 2, 6, 0x800

Element = tuple[int, memoryview]


class _Array(NamedTuple):
    """An array's kind and flags, its shape, and the elements that hold what is in it."""

    flags: int
    shape: tuple[int, ...]
    content: list[Element]

    @property
    def kind(self) -> int:
        return self.flags & 255


class _Damaged(ValueError):
    """What is wrong with a file."""


def read_map(path: str, *field: str) -> np.ndarray:
    """The map of numbers, height×width, to which `field` leads, such as ("GTcls", "Segmentation").

    Raises FileNotFoundError, and ValueError for a file that is of another version or no MATLAB file, is damaged, is
    larger than MOST_BYTES, or has something else under that name.
    """
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            data = memoryview(file.read() if size <= MOST_BYTES else b"")
    except FileNotFoundError as error:
        raise files.missing(path) from error
    if size > MOST_BYTES:
        raise ValueError(f"label '{path}' has {size} bytes, expected at most {MOST_BYTES}. Is it a label?")
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:128]))
    if order is None or struct.unpack(order + "H", data[124:126])[0] >> 8 != 1:
        raise ValueError(
            f"label '{path}' is not a MATLAB file of version 5 (-v6, -v7). Fetch it again, or save it as such."
        )
    try:
        known: Mapping[str, _Array] = dict(_variables(data, order))
        for depth, name in enumerate(field, start=1):
            if name not in known:
                raise _Damaged(f"has no field {'.'.join(field[:depth])}; there is {', '.join(known) or 'none'}")
            array = known[name]
            known = _fields(array, order)
        return _numbers(array, ".".join(field), order)
    except (_Damaged, zlib.error) as error:
        raise ValueError(f"label '{path}' {error}. Is it whole, and of this data set?") from error


def _variables(data: memoryview, order: str) -> Iterator[tuple[str, _Array]]:
    left = MOST_BYTES
    for kind, part in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            unpacked = _unpacked(part, left)
            left -= len(unpacked)
            kind, part = next(_elements(unpacked, order), (0, part))
        if kind == _ARRAY:
            yield _array(part, order)


def _elements(data: memoryview, order: str) -> Iterator[Element]:
    """The type and the bytes of each element. One of up to four bytes may stand inside its tag."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack(order + "II", data[at : at + 8]) if at + 8 <= len(data) else (0, len(data))
        begin, end = at + 8, at + 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if kind >> 16:
            kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if begin + size > min(end, len(data)):
            raise _Damaged("ends in the middle or is damaged")
        yield kind, data[begin : begin + size]
        at = end


def _unpacked(packed: memoryview, most: int) -> memoryview:
    data = zlib.decompressobj().decompress(packed, most + 1)
    if len(data) > most:
        raise _Damaged(f"unpacks to more than {MOST_BYTES} bytes, expected a label")
    return memoryview(data)


def _array(data: memoryview, order: str) -> tuple[str, _Array]:
    """The name of an array, and the array."""
    parts = list(_elements(data, order))
    if not parts:  # how MATLAB writes an empty one
        return "", _Array(_FIRST_NUMERIC, (0, 0), [])
    if len(parts) < 3 or len(parts[0][1]) != 8 or len(parts[1][1]) % 4:
        raise _Damaged("has an array without its kind, shape and name")
    (_, flags), (_, shape), (_, name), *content = parts
    dimensions = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    return bytes(name).decode("latin-1"), _Array(struct.unpack(order + "II", flags)[0], dimensions, content)


def _fields(array: _Array, order: str) -> dict[str, _Array]:
    """The fields of a single struct by name; none for anything else."""
    if array.kind != _STRUCT or set(array.shape) != {1}:
        return {}
    if len(array.content) < 2 or len(array.content[0][1]) != 4:
        raise _Damaged("has a struct without the names of its fields")
    (_, length), (_, names), *values = array.content
    (step,) = struct.unpack(order + "i", length)
    if step < 1 or len(names) != step * len(values):
        raise _Damaged(f"has a struct with {len(values)} values for other names")
    listed = [bytes(names[at : at + step]).split(b"\0")[0].decode("latin-1") for at in range(0, len(names), step)]
    return {name: _array(data, order)[1] for name, (_, data) in zip(listed, values)}


def _numbers(array: _Array, name: str, order: str) -> np.ndarray:
    """The numbers of a matrix, in the type in which the file has them."""
    if array.kind < _FIRST_NUMERIC or array.flags & _COMPLEX or len(array.shape) != 2 or not array.content:
        found = "complex" if array.flags & _COMPLEX else _KINDS.get(array.kind, "an array of numbers")
        raise _Damaged(f"has as {name} {found} of shape {array.shape}, expected a map of numbers")
    kind, data = array.content[0]
    dtype = np.dtype(order + _NUMBERS.get(kind, "u1"))
    height, width = array.shape
    if kind not in _NUMBERS or min(array.shape) < 1 or height * width * dtype.itemsize != len(data):
        raise _Damaged(f"has as {name} {len(data)} bytes for a map of shape {array.shape}")
    return np.frombuffer(data, dtype).reshape(width, height).T.astype(dtype.newbyteorder("="), order="C")
