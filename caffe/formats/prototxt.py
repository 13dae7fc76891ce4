"""Nets and solvers as text: protobuf's text format, upgraded on every load as Caffe does.

A mistake is reported as `file:line:column`, with what was found and what is known:

    Failed to parse NetParameter file: train.prototxt:12:5: LayerParameter has no field 'botom'. Did you mean 'bottom'?
"""

import os
import re
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from caffe.errors import FormatError
from caffe.formats import own_settings
from caffe.formats.atomic import open_atomic
from caffe.formats.closest import closest
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import PathLike, map_file
from caffe.formats.unknown import Unknown, place, unknown_fields, without
from caffe.formats.upgrade import upgrade_net, upgrade_solver
from caffe.log import log
from caffe.proto import bvlc_fields, bvlc_values, caffe_pb2

AnyMessage = TypeVar("AnyMessage", bound=Message)
_MOST_NAMED, _MOST_LISTED = 100, 15
_PLACEHOLDER = re.compile(r"\$\w*|\$?\{\{\w+\}\}")


def read_net(path: PathLike, *, allow_unknown: bool | None = None) -> caffe_pb2.NetParameter:
    """The net that a prototxt describes, in today's form; `allow_unknown` as for `parse`. Raises FormatError."""
    net = parse(read_text(path), caffe_pb2.NetParameter(), os.fspath(path), allow_unknown=allow_unknown)
    upgrade_net(net, os.fspath(path))
    return net


def read_solver(path: PathLike) -> caffe_pb2.SolverParameter:
    """The solver that a prototxt describes, in today's form. Raises FormatError."""
    text = _one_device(read_text(path), os.fspath(path))
    solver = parse(text, caffe_pb2.SolverParameter(), os.fspath(path))
    upgrade_solver(solver, os.fspath(path))
    return solver


def _one_device(text: str, source: str) -> str:
    """The text with the first device where a fork's solver lists several, of which the log tells; nothing moves."""

    def first(found: re.Match[str]) -> str:
        log.warning(
            "%s: device_id lists several devices (%s): %s is taken. `caffe train -gpu %s` trains on all of them.",
            *(source, found[2].strip(), found[3], ",".join(re.findall(r"\d+", found[2]))),
        )
        return f"{found[1]}{found[3]}".ljust(len(found[0]))

    return re.sub(r"^(\s*device_id\s*:\s*)\[((\d+)\s*[\d,\s]*)\]", first, text, flags=re.MULTILINE)


def read_text(path: PathLike) -> str:
    """The text of a prototxt. Bytes that are not UTF-8 are allowed in comments only."""
    content = map_file(path)
    found = identify(content)
    if found not in (Kind.TEXT, Kind.EMPTY, Kind.UNKNOWN):
        raise wrong_kind(path, found, "a text prototxt")
    text = bytes(content).decode("utf-8-sig", errors="surrogateescape")
    if foreign := re.search(r"^[^#\n]*[\udc80-\udcff]", text, re.MULTILINE):
        line = text.count("\n", 0, foreign.end()) + 1
        raise FormatError(f"{path}:{line}: found bytes that are not UTF-8. Save the file as UTF-8.")
    return re.sub(r"[\udc80-\udcff]", "?", text)


def parse(text: str, message: AnyMessage, source: str = "<text>", *, allow_unknown: bool | None = None) -> AnyMessage:
    """Fill an empty message from text, and return it; `source` names the text in errors. Raises FormatError.

    allow_unknown: fields that nobody knows are kept as text in `unknown_fields` of their layer, instead of refused;
    None asks the environment, CAFFE_ALLOW_UNKNOWN.
    """
    wanted = f"Failed to parse {message.DESCRIPTOR.name} file: {source}"
    unknown: list[Unknown] = []
    try:
        _fill(text, message)
    except text_format.ParseError as error:
        if "has no field named" not in str(error):
            raise FormatError(_told(error, text, message, wanted)) from error
        unknown = unknown_fields(text, message.DESCRIPTOR)
        refused = [] if _allowed(allow_unknown) else [each for each in unknown if not _is_declared(each)]
        if refused or not unknown:
            words = _unknown_words(text, refused, message, source) or _told(error, text, message, wanted)
            raise FormatError(words if not refused else f"{wanted}{words}") from error
        message.Clear()
        try:
            _fill(without(text, unknown), message)
        except text_format.ParseError as second:
            raise FormatError(_told(second, text, message, wanted)) from second
    _keep(text, unknown, message, wanted)
    if missing := message.FindInitializationErrors():  # type: ignore[attr-defined]
        raise FormatError(f"{wanted}: Message missing required fields: {', '.join(missing)}. Add them.")
    return message


def _fill(text: str, message: Message) -> None:
    text_format.Parse(text, message)


def _allowed(allow_unknown: bool | None) -> bool:
    return os.environ.get("CAFFE_ALLOW_UNKNOWN", "") not in ("", "0") if allow_unknown is None else allow_unknown


def _is_declared(field: Unknown) -> bool:
    return field.message.name == "LayerParameter" and field.name in own_settings.DECLARED


def _keep(text: str, unknown: list[Unknown], message: Message, wanted: str) -> None:
    """Put the text of unknown fields into their layers."""
    for each in unknown:
        words = text[each.start : each.end]
        where = f"{wanted}:{place(text, each.start)}"
        if _is_declared(each):
            if wrong := own_settings.check(each.name, words[len(each.name) :].lstrip(" \t\n:")):
                raise FormatError(f"{where}: layer '{each.layer}', {each.name}: {wrong}. Correct it.")
        else:
            log.warning("%s: kept aside, as nobody knows it: %s", where, " ".join(words.split())[:200])
        if each.layers:
            layer = getattr(message, each.layers)[each.index]
            layer.unknown_fields += words + "\n"


def _unknown_words(text: str, unknown: list[Unknown], message: Message, source: str) -> str:
    """All unknown fields, one per line, with place and layer."""
    lines = []
    for each in unknown[:_MOST_NAMED]:
        layer = f" (layer '{each.layer}')" if each.layers else ""
        words = _unknown_field(f"caffe.{each.message.name}", each.name, message)
        lines.append(f":{place(text, each.start)}: {words}{layer}")
    if not lines:
        return ""
    if len(unknown) > _MOST_NAMED:
        lines.append(f": and {len(unknown) - _MOST_NAMED:,} more.")
    first, *others = lines
    remedy = (
        "\nNeither BVLC Caffe nor a fork that is known here has such a field. Correct or remove it; or keep it aside, "
        "for Python layers to read: CAFFE_ALLOW_UNKNOWN=1, or allow_unknown=True of caffe.Net."
    )
    return "".join([first, *(f"\n{source}{line}" for line in others), remedy])


def _told(error: text_format.ParseError, text: str, message: Message, wanted: str) -> str:
    line = error.GetLine() or 1
    explained = _explain(str(error), "".join(text.split("\n")[line - 1 : line]), message)
    return f"{wanted}:{line}:{error.GetColumn() or 1}: {explained}"


def write(path: PathLike, message: Message) -> None:
    """Write a message as text, whole or not at all. Raises FormatError."""
    with open_atomic(path) as file:
        file.write(text_format.MessageToString(message).encode())


def _explain(error: str, line: str, message: Message) -> str:
    """The parser's error as a message of the usual form, with the closest known names."""
    if found := _PLACEHOLDER.search(line.partition("#")[0]):
        return (
            f"found '{found[0]}', which is no value: this is a template, such as DetectNet's, whose placeholders a "
            "program fills in. Put the value in its place."
        )
    if found := re.search(r'type "([\w.]+)" has no field named "(\w+)"', error):
        return _unknown_field(found[1], found[2], message)
    if found := re.search(r'Enum type "([\w.]+)" has no value (?:named|with number) (\w+)', error):
        enum = message.DESCRIPTOR.file.pool.FindEnumTypeByName(found[1])
        values = [value.name for value in bvlc_values(enum)]
        return f"'{found[2]}' is none of {', '.join(values)}.{_closest(found[2], values)}"
    if found := re.search(r'type "caffe\.(\w+)" should not have multiple "(\w+)" fields', error):
        return f'Non-repeated field "{found[2]}" is specified multiple times in {found[1]}. Keep one of them.'
    complaint = re.sub(r"^\d+:\d+ : ", "", error).removeprefix(f"'{line}': ")
    return f"{complaint.rstrip('.')}, in: {line.strip()[:100]}"


def _unknown_field(type_name: str, name: str, message: Message) -> str:
    pool = message.DESCRIPTOR.file.pool
    descriptor = pool.FindMessageTypeByName(type_name)
    text = f"{type_name.removeprefix('caffe.')} has no field '{name}'."
    types = message.DESCRIPTOR.file.message_types_by_name.values()
    homes = [
        each.name
        for each in types
        if any(field.name == name for field in bvlc_fields(each)) and not each.name.startswith(("V0", "V1"))
    ]
    if homes:
        return f"{text} '{name}' belongs in {', '.join(homes)}."
    known = sorted(field.name for field in bvlc_fields(descriptor))
    few = f" It knows {', '.join(known)}." if len(known) <= _MOST_LISTED else ""
    return text + (_closest(name, sorted(descriptor.fields_by_name)) or few)


def _closest(name: str, known: list[str]) -> str:
    match = closest(name, known)
    return f" Did you mean '{match}'?" if match else ""
