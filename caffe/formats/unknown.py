"""Unknown fields in the text of a net, with layer and place.

The parser stops at the first; here all are found, so that one error names them, or all are kept as text.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}<>\[\]:;,]|[^\s{}<>\[\]:;,"'#]+""")
_OPEN, _CLOSE = ("{", "<"), ("}", ">")
_LAYERS = ("LayerParameter", "V1LayerParameter")


@dataclass
class Unknown:
    """A field that a message does not have: `text[start:end]` is the whole of it."""

    name: str
    message: Any
    """The descriptor of the message that it stands in."""
    start: int
    end: int
    layers: str = ""
    """"layer" or "layers", where it stands in one of these."""
    index: int = 0
    """The number of that layer among its kind."""
    layer: str = ""
    """The name of that layer."""


class _Ended(Exception):
    """The text ends, or is of no form that the parser takes."""


class _Scanner:
    def __init__(self, text: str):
        self.tokens = [match for match in _TOKEN.finditer(text) if not match[0].startswith("#")]
        self.at = 0
        self.found: list[Unknown] = []
        self.counts = {"layer": 0, "layers": 0}

    def peek(self) -> str:
        if self.at >= len(self.tokens):
            raise _Ended
        return self.tokens[self.at][0]

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def message(self, descriptor: Any, *, inside: bool) -> None:
        """Read fields up to the closing brace, which is taken, or to the end of the text."""
        while inside or self.at < len(self.tokens):
            token = self.peek()
            if token in _CLOSE:
                self.at += 1
                return
            if token in (";", ","):
                self.at += 1
                continue
            self.field(descriptor)

    def field(self, descriptor: Any) -> None:
        start = self.tokens[self.at].start()
        name = self.take()
        field = descriptor.fields_by_name.get(name)
        if self.peek() == ":":
            self.at += 1
        if field is not None and field.message_type is not None and self.peek() in _OPEN:
            self.at += 1
            self.within(field, descriptor)
            return
        self.skip_value()
        if field is None:
            self.found.append(Unknown(name, descriptor, start, self.tokens[self.at - 1].end()))

    def within(self, field: Any, descriptor: Any) -> None:
        first, begun = len(self.found), self.at
        self.message(field.message_type, inside=True)
        if descriptor.name == "NetParameter" and field.message_type.name in _LAYERS:
            for each in self.found[first:]:
                each.layers, each.index = field.name, self.counts[field.name]
                each.layer = self.name_between(begun, self.at)
            self.counts[field.name] += 1

    def name_between(self, begin: int, end: int) -> str:
        """The value of the `name` that stands in a message itself."""
        depth = 0
        for place in range(begin, end):
            token = self.tokens[place][0]
            depth += (token in _OPEN) - (token in _CLOSE)
            if depth == 0 and token == "name":
                return str(self.tokens[min(place + 2, end - 1)][0]).strip("\"'")
        return ""

    def skip_value(self) -> None:
        """A scalar, texts in a row, or whatever stands in braces or brackets."""
        token = self.take()
        if token in _OPEN or token == "[":
            depth = 1
            while depth:
                token = self.take()
                depth += (token in _OPEN or token == "[") - (token in _CLOSE or token == "]")
            return
        while token[0] in "\"'" and self.at < len(self.tokens) and self.peek()[0] in "\"'":
            self.at += 1


def unknown_fields(text: str, descriptor: Any) -> list[Unknown]:
    """Every field that the message of this descriptor, or one within it, does not have, in the order of the text."""
    scanner = _Scanner(text)
    with suppress(_Ended):  # the parser reports it
        scanner.message(descriptor, inside=False)
    return scanner.found


def without(text: str, fields: list[Unknown]) -> str:
    """The text with blanks in place of these fields, so that every line and column stays."""
    pieces, end = [], 0
    for each in fields:
        pieces += [text[end : each.start], re.sub(r"\S", " ", text[each.start : each.end])]
        end = each.end
    return "".join([*pieces, text[end:]])


def place(text: str, offset: int) -> str:
    """LINE:COLUMN of an offset, both from 1."""
    return f"{text.count(chr(10), 0, offset) + 1}:{offset - text.rfind(chr(10), 0, offset)}"


def top_level(text: str, descriptor: Any) -> Iterator[tuple[str, str]]:
    """(name, text of the value) of every field in a text that consists of fields which the message does not have."""
    for each in unknown_fields(text, descriptor):
        yield each.name, text[each.start + len(each.name) : each.end].lstrip(" \t\n:")
