r"""Messages from bytes, with names in another encoding than UTF-8 written out: the byte FF becomes \xff.

Releases of protobuf differ: since 4.21 such a name comes as bytes, which no field takes; 3.20 in Python refuses it.
"""

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe.formats import wire

AnyParsed = TypeVar("AnyParsed", bound=Message)


def parsed(kind: type[AnyParsed], content: bytes, source: str) -> AnyParsed:
    """A message of this class. source: its name in errors. Raises protobuf's DecodeError, and FormatError."""
    try:
        message = kind.FromString(content)
    except UnicodeDecodeError:
        message = kind.FromString(_readable(memoryview(content), kind.DESCRIPTOR, source))
    _make_readable(message)
    return message


def _make_readable(message: Message) -> None:
    for entry, value in message.ListFields():
        if isinstance(value, bytes) and entry.type == FieldDescriptor.TYPE_STRING:
            setattr(message, entry.name, _text(value))
        elif isinstance(value, Message):
            _make_readable(value)
        elif entry.type == FieldDescriptor.TYPE_MESSAGE:
            for each in value:
                _make_readable(each)
        elif entry.type == FieldDescriptor.TYPE_STRING and not isinstance(value, str):
            value[:] = [_text(each) if isinstance(each, bytes) else each for each in value]


def _readable(content: memoryview, descriptor: Any, source: str) -> bytes:
    """The message of this descriptor, its names made text."""
    readable = bytearray()
    for each in wire.fields(content, source):
        entry = descriptor.fields_by_number.get(each.number) if each.wire == wire.LEN else None
        if entry is not None and entry.type == FieldDescriptor.TYPE_STRING:
            readable += b"".join(wire.enclose(each.number, [_text(bytes(each.value)).encode()]))
        elif entry is not None and entry.type == FieldDescriptor.TYPE_MESSAGE:
            inner = _readable(each.value, entry.message_type, source)
            readable += b"".join(wire.enclose(each.number, [inner]))
        else:
            readable += each.raw
    return bytes(readable)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
