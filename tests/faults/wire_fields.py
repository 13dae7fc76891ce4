"""Damage to protobuf's bytes field by field: tags, lengths and values that the schema does not know."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.faults import bytes_of
from tests.faults.bytes_of import varint

_VARINT, _I64, _LEN, _GROUP, _END_GROUP, _I32 = range(6)
_STRANGE = (9, 10, 12, 23, 101, 145, 148, 200, 1000, 2**29 - 1)
_MOST_DEPTH = 6


@dataclass
class Field:
    """A field; `inner` are the fields of its value where that is a message. `length`: what to claim instead."""

    number: int
    wire: int
    value: bytes
    inner: list[Field] | None = None
    length: int | None = None

    def encode(self) -> bytes:
        tag = varint(self.number << 3 | self.wire)
        value = encode(self.inner) if self.inner is not None else self.value
        if self.wire == _LEN:
            return tag + varint(len(value) if self.length is None else self.length) + value
        return tag + value


def damaged(content: bytes, draw: random.Random) -> bytes:
    """A message with one to three changes of its fields; now and then of its bytes, too."""
    fields = parse(content, 0)
    if not fields:
        return bytes_of.damaged(content, draw)
    for _ in range(draw.choice((1, 1, 2, 3))):
        _change(fields, draw)
    content = encode(fields)
    return bytes_of.damaged(content, draw) if draw.random() < 0.2 else content


def encode(fields: list[Field]) -> bytes:
    return b"".join(each.encode() for each in fields)


def parse(content: bytes, depth: int) -> list[Field] | None:
    """The fields of a message; None for bytes that are none."""
    fields, place = [], 0
    while place < len(content):
        tag, place = _read_varint(content, place)
        begin, wire = place, tag & 7
        if wire == _VARINT:
            _, place = _read_varint(content, place)
        elif wire == _LEN:
            length, begin = _read_varint(content, place)
            place = begin + length
        elif wire in (_I32, _I64):
            place += 4 if wire == _I32 else 8
        else:
            return None
        if not tag >> 3 or place > len(content) or begin < 0:
            return None
        value = content[begin:place]
        inner = parse(value, depth + 1) if wire == _LEN and len(value) > 1 and depth < _MOST_DEPTH else None
        fields.append(Field(tag >> 3, wire, value, inner))
    return fields


def _read_varint(content: bytes, place: int) -> tuple[int, int]:
    """The number, and the place after it, which is beyond the end where the number does not end."""
    value = shift = 0
    while place < len(content) and shift < 64:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    return 0, len(content) + 1


def _change(fields: list[Field], draw: random.Random) -> None:
    """A change somewhere: as likely in a small message inside as in the one around it."""
    while draw.random() < 0.75:
        inside = [each.inner for each in fields if each.inner]
        if not inside:
            break
        fields = draw.choice(inside)
    place = draw.randrange(len(fields)) if fields else 0
    if not fields or draw.random() < 0.15:
        fields.insert(place, _strange(draw))
        return
    each = fields[place]
    way = bytes_of.weighted(
        draw,
        *((5, "value"), (2, "length"), (2, "number"), (1, "wire"), (1, "remove"), (1, "repeat"), (1, "nest")),
    )
    if way == "value":
        _revalue(each, draw)
    elif way == "length" and each.wire == _LEN:
        size = len(each.encode())
        each.length = draw.choice((size + 1, max(size - 2, 0), bytes_of.number(draw, 0), 2**31 - 1, 2**64 - 1))
    elif way == "number":
        each.number = draw.choice((*range(1, 12), *_STRANGE))
    elif way == "wire":
        each.wire = draw.randrange(8)
    elif way == "remove":
        del fields[place]
    elif way == "repeat":
        fields[place:place] = [each] * draw.choice((1, 1, 3, 200))
    else:
        content = each.encode()
        for _ in range(draw.choice((0, 2, 99, 500, 5000))):
            content = varint(each.number << 3 | _LEN) + varint(len(content)) + content
        fields[place] = Field(each.number, _LEN, content)


def _revalue(each: Field, draw: random.Random) -> None:
    if each.wire == _VARINT:
        each.value = varint(bytes_of.number(draw)) if draw.random() < 0.9 else b"\xff" * draw.choice((9, 10, 11, 40))
    elif each.inner is not None and draw.random() < 0.5:
        each.inner = draw.choice(([], each.inner * 2, each.inner[::-1]))
    else:
        each.value, each.inner = bytes_of.damaged(each.value, draw), None


def _strange(draw: random.Random) -> Field:
    number = draw.choice((*range(1, 12), *_STRANGE))
    wire = draw.choice((_VARINT, _I64, _LEN, _GROUP, _I32))
    if wire == _GROUP:
        depth = draw.choice((1, 1, 2, 99, 200))
        begins, ends = varint(number << 3 | _GROUP) * (depth - 1), varint(number << 3 | _END_GROUP)
        inside = draw.choice((b"", b"\x08\x01", varint(bytes_of.number(draw))))
        return Field(number, wire, begins + inside + ends * draw.choice((depth, depth, depth - 1)))
    value = {_VARINT: varint(bytes_of.number(draw)), _I64: draw.randbytes(8), _I32: draw.randbytes(4)}.get(wire)
    return Field(number, wire, draw.randbytes(draw.choice((0, 1, 4, 12, 100))) if value is None else value)
