"""Protobuf's wire format, as far as Caffe's files need it: packed numbers become arrays, never Python lists.

A message is a row of fields. A field is a tag, the varint `number << 3 | wire type`, and a value:

    wire type  value
    0 VARINT   7 bits a byte, least significant first, the top bit says that more follow
    1 I64      8 bytes
    2 LEN      a varint n, then n bytes: a string, a message, or packed numbers
    3 GROUP    fields, up to a tag of wire type 4 with its number; none is Caffe's, and all are passed over
    5 I32      4 bytes

    0a 03 "abc"     field 1, LEN, 3 bytes
    2d 0000803f     field 5, I32: the float 1.0

Reading works on a memoryview and copies nothing; writing yields a list of buffers ("pieces") that are written one after
the other.

Why it is our own: protobuf's parser copies every number of a message into objects of its own, refuses messages of 2 GB,
and in Python gives repeated numbers as a list-like container. VGG16's 138 million weights are mapped from the file here
and read as they lie there. All other parts of a message are left to protobuf.

Public description: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from caffe.errors import FormatError
from caffe.formats.mapped import PathLike

VARINT, I64, LEN, GROUP, I32 = 0, 1, 2, 3, 5
MAX_BYTES = 2**31 - 1
MAX_GROUPS = 100
"""So many groups may lie in each other, as in protobuf."""
WIDTH = {I64: 8, I32: 4}
_END_GROUP = 4

Piece = bytes | memoryview


class Field(NamedTuple):
    """One field of a message; or a run of fixed-width fields of one number, as unpacked arrays are stored."""

    number: int
    wire: int
    raw: memoryview  # tag and value
    value: memoryview  # what follows the tag, without the length; of a run and of a group: empty

    def array(self, dtype: np.dtype, source: str) -> np.ndarray:
        """The numbers of a packed field or of a run; 1-D, a read-only view that may be unaligned."""
        if self.wire == LEN and len(self.value) % dtype.itemsize == 0:
            return np.frombuffer(self.value, dtype)
        if WIDTH.get(self.wire) == dtype.itemsize:
            tag = len(varint(self.number << 3 | self.wire))
            record = np.dtype([("tag", np.uint8, (tag,)), ("value", dtype)])
            return np.frombuffer(self.raw, record)["value"]
        raise FormatError(
            f"{source}: field {self.number} has {len(self.raw):,} bytes of wire type {self.wire}, which is no array of "
            f"{dtype.itemsize}-byte numbers. The file is damaged: copy or download it again."
        )


def fields(message: memoryview, source: str) -> Iterator[Field]:
    """The fields of a message in order. Raises FormatError, naming `source`, on bytes that are no message."""
    position = 0
    while position < len(message):
        start = position
        tag, position = read_varint(message, position, source)
        number, wire = tag >> 3, tag & 7
        value = position
        if wire == VARINT:
            _, end = read_varint(message, position, source)
        elif wire == LEN:
            length, value = read_varint(message, position, source)
            end = value + length
        elif wire in WIDTH:
            end = value + WIDTH[wire]
        elif wire == GROUP:
            end = value = group_end(message, position, number, source)
        else:
            raise _damaged(source, f"a field of unknown wire type {wire}")
        if number == 0:
            raise _damaged(source, "a field numbered 0")
        if end > len(message):
            raise FormatError(
                f"{source}: truncated or damaged: field {number} needs {end - len(message):,} bytes more than "
                "there are. Copy or download the file again."
            )
        if wire in WIDTH:
            end = value = start + _run_length(message[start:], end - start, value - start)
        yield Field(number, wire, message[start:end], message[value:end])
        position = end


def group_end(message: memoryview, position: int, number: int, source: str) -> int:
    """The position after a group of this number, whose fields begin at `position`. Raises FormatError."""
    open_groups = [number]
    while open_groups:
        tag, position = read_varint(message, position, source)
        wire = tag & 7
        if tag >> 3 == 0:
            raise _damaged(source, "a field numbered 0")
        if wire == VARINT:
            _, position = read_varint(message, position, source)
        elif wire == LEN:
            length, position = read_varint(message, position, source)
            position += length
        elif wire in WIDTH:
            position += WIDTH[wire]
        elif wire == GROUP and len(open_groups) < MAX_GROUPS:
            open_groups.append(tag >> 3)
        elif wire != _END_GROUP or tag >> 3 != open_groups.pop():
            what = f"a group (field {number}) that does not end, or more than {MAX_GROUPS} in each other"
            raise _damaged(source, what)
    return position


def _run_length(view: memoryview, item: int, tag: int) -> int:
    """How many bytes the fields of `item` bytes take that start with the same `tag` bytes as the first."""
    count = 1
    while step := min(count, len(view) // item - count):
        rows = np.frombuffer(view, np.uint8, step * item, count * item).reshape(step, item)
        same = (rows[:, :tag] == np.frombuffer(view, np.uint8, tag)).all(axis=1)
        if not same.all():
            return (count + int(same.argmin())) * item
        count += step
    return count * item


def read_varint(view: memoryview, position: int, source: str) -> tuple[int, int]:
    """The varint at a position, and the position after it."""
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            raise FormatError(f"{source}: truncated: it ends inside a number. Copy or download the file again.")
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
    raise _damaged(source, "a number of more than 10 bytes")


def _damaged(source: str, found: str) -> FormatError:
    return FormatError(f"{source}: found {found}, expected a protobuf message. The file is damaged: copy it again.")


def varint(number: int) -> bytes:
    """A non-negative number as a varint."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def enclose(number: int, pieces: list[Piece]) -> list[Piece]:
    """The pieces of a message as one LEN field of an outer message."""
    return [varint(number << 3 | LEN) + varint(size(pieces)), *pieces]


def packed(number: int, array: np.ndarray, dtype: str) -> list[Piece]:
    """An array as a packed field: its own memory, unless type or layout must change. No field if it is empty."""
    flat = np.ascontiguousarray(array, dtype).reshape(-1)
    return enclose(number, [flat.view(np.uint8).data]) if flat.size else []


def check_size(pieces: list[Piece], path: PathLike) -> None:
    """Raise FormatError when a file of these pieces would be too big for protobuf to read."""
    if size(pieces) > MAX_BYTES:
        raise FormatError(
            f"{path}: not written: it takes {size(pieces):,} bytes, a file holds at most {MAX_BYTES:,}. "
            "Save as HDF5 instead: `snapshot_format: HDF5` in a solver, net.save_hdf5() for weights."
        )


def size(pieces: list[Piece]) -> int:
    """The bytes that the pieces take in the file."""
    return sum(len(piece) for piece in pieces)
