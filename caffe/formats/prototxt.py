"""Nets and solvers as text: protobuf's text format, upgraded on every load as Caffe does.

A mistake is reported as `file:line:column`, with what was found and what is known:

    Failed to parse NetParameter file: train.prototxt:12:5: LayerParameter has no field 'botom'. Did you mean 'bottom'?
"""

import difflib
import os
import re
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from caffe.errors import FormatError
from caffe.formats.atomic import open_atomic
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import PathLike, map_file
from caffe.formats.upgrade import upgrade_net, upgrade_solver
from caffe.proto import caffe_pb2

AnyMessage = TypeVar("AnyMessage", bound=Message)


def read_net(path: PathLike) -> caffe_pb2.NetParameter:
    """The net that a prototxt describes, in today's form. Raises FormatError."""
    net = parse(read_text(path), caffe_pb2.NetParameter(), os.fspath(path))
    upgrade_net(net, os.fspath(path))
    return net


def read_solver(path: PathLike) -> caffe_pb2.SolverParameter:
    """The solver that a prototxt describes, in today's form. Raises FormatError."""
    solver = parse(read_text(path), caffe_pb2.SolverParameter(), os.fspath(path))
    upgrade_solver(solver, os.fspath(path))
    return solver


def read_text(path: PathLike) -> str:
    """The text of a prototxt. Bytes that are not UTF-8 are let pass in comments only."""
    content = map_file(path)
    found = identify(content)
    if found not in (Kind.TEXT, Kind.EMPTY, Kind.UNKNOWN):
        raise wrong_kind(path, found, "a text prototxt")
    text = bytes(content).decode("utf-8-sig", errors="surrogateescape")
    if foreign := re.search(r"^[^#\n]*[\udc80-\udcff]", text, re.MULTILINE):
        line = text.count("\n", 0, foreign.end()) + 1
        raise FormatError(f"{path}:{line}: found bytes that are not UTF-8. Save the file as UTF-8.")
    return re.sub(r"[\udc80-\udcff]", "?", text)


def parse(text: str, message: AnyMessage, source: str = "<text>") -> AnyMessage:
    """Fill an empty message from text, and return it; `source` names the text in errors. Raises FormatError."""
    wanted = f"Failed to parse {message.DESCRIPTOR.name} file: {source}"
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        line = error.GetLine() or 1
        explained = _explain(str(error), "".join(text.split("\n")[line - 1 : line]), message)
        raise FormatError(f"{wanted}:{line}:{error.GetColumn() or 1}: {explained}") from error
    if missing := message.FindInitializationErrors():  # type: ignore[attr-defined]
        raise FormatError(f"{wanted}: Message missing required fields: {', '.join(missing)}. Add them.")
    return message


def write(path: PathLike, message: Message) -> None:
    """Write a message as text, whole or not at all. Raises FormatError."""
    with open_atomic(path) as file:
        file.write(text_format.MessageToString(message).encode())


def _explain(error: str, line: str, message: Message) -> str:
    """The parser's complaint in our words, with the closest names that exist."""
    if found := re.search(r'type "([\w.]+)" has no field named "(\w+)"', error):
        return _unknown_field(found[1], found[2], message)
    if found := re.search(r'Enum type "([\w.]+)" has no value (?:named|with number) (\w+)', error):
        values = list(message.DESCRIPTOR.file.pool.FindEnumTypeByName(found[1]).values_by_name)
        return f"'{found[2]}' is none of {', '.join(values)}.{_closest(found[2], values)}"
    if found := re.search(r'type "caffe\.(\w+)" should not have multiple "(\w+)" fields', error):
        return f'Non-repeated field "{found[2]}" is specified multiple times in {found[1]}. Keep one of them.'
    complaint = re.sub(r"^\d+:\d+ : ", "", error).removeprefix(f"'{line}': ")
    return f"{complaint.rstrip('.')}, in: {line.strip()[:100]}"


def _unknown_field(type_name: str, name: str, message: Message) -> str:
    pool = message.DESCRIPTOR.file.pool
    known = sorted(pool.FindMessageTypeByName(type_name).fields_by_name)
    text = f"{type_name.removeprefix('caffe.')} has no field '{name}'."
    types = message.DESCRIPTOR.file.message_types_by_name.values()
    homes = [each.name for each in types if name in each.fields_by_name and not each.name.startswith(("V0", "V1"))]
    if homes:
        return f"{text} '{name}' belongs in {', '.join(homes)}."
    return text + (_closest(name, known) or f" It knows {', '.join(known)}.")


def _closest(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""
