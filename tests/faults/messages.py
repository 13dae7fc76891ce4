"""Damage to messages by their schema: any field, also one that was not set, gets a value that it rarely has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.faults import bytes_of

_LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_TEXTS = ("", "x", "..", "/", "a/b", "0", "1", "é", "x" * 300, "data", "label", "layer", "/dev/null/x", "a,b", " ")


def damage(message: Message, draw: random.Random, texts: tuple[str, ...] = ()) -> None:
    """One to three changes of a message or of those inside it; `texts` are values that strings may well have."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        # Messages further inside come more often: settings of layers, not of the net.
        inside = list(_messages(message))
        chosen = draw.choice(inside[1:]) if len(inside) > 1 and draw.random() < 0.85 else message
        _change(chosen, draw, texts)


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            for each in value if _repeated(field) else (value,):
                yield from _messages(each)


def _repeated(field: Any) -> bool:
    return bool(getattr(field, "is_repeated", None)) if hasattr(field, "is_repeated") else field.label == 3


def _change(message: Message, draw: random.Random, texts: tuple[str, ...]) -> None:
    present = [field for field, _ in message.ListFields()]
    way = bytes_of.weighted(draw, (5, "alter"), (3, "set"), (1, "clear"), (1, "rearrange"))
    if way == "set" or not present:
        fields = message.DESCRIPTOR.fields
        if fields:
            _set(message, draw.choice(fields), draw, texts)
    elif way == "alter":
        _set(message, draw.choice(present), draw, texts)
    elif way == "clear":
        message.ClearField(draw.choice(present).name)
    else:
        _rearrange(message, draw.choice(present), draw)


def _set(message: Message, field: Any, draw: random.Random, texts: tuple[str, ...]) -> None:
    if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        inner = getattr(message, field.name)
        if _repeated(field):
            inner = inner.add() if not inner or draw.random() < 0.3 else draw.choice(list(inner))
        else:
            inner.SetInParent()
        if inner.DESCRIPTOR.fields:
            _set(inner, draw.choice(inner.DESCRIPTOR.fields), draw, texts)
        return
    value = _value(field, draw, texts)
    if not _repeated(field):
        setattr(message, field.name, value)
        return
    values = getattr(message, field.name)
    if values and draw.random() < 0.7:
        values[draw.randrange(len(values))] = value
    else:
        values.extend([value] * draw.choice((1, 1, 2, 40)))


def _value(field: Any, draw: random.Random, texts: tuple[str, ...]) -> Any:
    if field.cpp_type in _LIMITS:
        return bytes_of.number(draw, *_LIMITS[field.cpp_type])
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return draw.choice((*bytes_of.REALS, *map(float, range(-2, 6))))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return draw.random() < 0.5
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return draw.choice(field.enum_type.values).number
    text = draw.choice(texts) if texts and draw.random() < 0.7 else draw.choice(_TEXTS)
    return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text


def _rearrange(message: Message, field: Any, draw: random.Random) -> None:
    if not _repeated(field):
        message.ClearField(field.name)
        return
    values = getattr(message, field.name)
    kept = list(values)
    draw.shuffle(kept)
    kept = draw.choice((kept, kept[:-1], kept + kept[:1], kept * 3))
    copies = [type(each)() for each in kept] if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE else kept
    for copy, each in zip(copies, kept, strict=True):
        if copy is not each:
            copy.CopyFrom(each)
    del values[:]
    values.extend(copies)
