"""Lists of classes: text files with one class on each line, and its colour if labels are coloured.

These forms are read, each in a whole file:

    name                        or with a number before it, 0, 1, 2, …: `0 name`, `0: name`, `0,name`
    name red green blue         or `name #rrggbb`, `name (red, green, blue)`, `name [red, green, blue]`
    red green blue name         as CamVid's label_colors.txt
    name,red,green,blue         CSV, with commas, semicolons or tabs, with or without a first line that names the
                                columns; also `number,name,red,green,blue`
    name:red,green,blue::       CVAT's labelmap.txt
    names: [name, name]         YAML, as YOLO's data files (class_yaml.py)
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from fcn_caffe.data_layers.segdata import class_yaml, text
from fcn_caffe.data_layers.segdata.labels import VOID, Colour

VOID_NAME = "void"
IGNORED = "__ignore__"
"""What labelme's lists call void, which has no number there."""

_CVAT = re.compile(r"(?P<name>[^:]+):(?:(?P<colour>\d+,\d+,\d+))?:[^:]*:[^:]*")
_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_TRIPLE = re.compile(r"[:=]?\s*(?:\brgb)?\s*[(\[\"]\s*(\d+)[,;\s]\s*(\d+)[,;\s]\s*(\d+)\s*[)\]\"]", re.IGNORECASE)
"""Three numbers in brackets or quotes."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBERED = re.compile(r"(\d+)\s*[\s:.)]\s*(\S.*)")
_FORMS: dict[str, tuple[int, int | None]] = {
    **{"wnnn": (0, 1), "nnnn": (0, 1), "nnnw": (3, 0), "nwnnn": (1, 2)},
    **{"wt": (0, 1), "tw": (1, 0), "nwt": (1, 2), "wh": (0, 1), "nwh": (1, 2), "nw": (1, None)},
}
"""Kinds of fields in a line (`_kind`): which of them is the name, and with which the colour begins."""
_COLUMNS = {
    *("name", "names", "class", "classes", "label", "labels", "class_name", "classname", "category", "categories"),
    *("r", "g", "b", "red", "green", "blue", "colour", "color", "hex", "rgb"),
    *("id", "idx", "index", "number", "value", "class_id", "label_id"),
}
"""What a first line may call its columns."""


class ClassList(NamedTuple):
    """The names of the classes, in order, and, if the file has colours, the class or the void of each colour."""

    names: tuple[str, ...]
    colours: dict[Colour, int]


class _Line(NamedTuple):
    where: str
    name: str
    colour: Colour | None
    number: int | None = None


def read(path: str) -> ClassList:
    """The list in a file; blank lines, and those that begin with #, do not count.

    Classes are numbered as they come. The name `void`, which needs a colour, is none of them. Among coloured lines, a
    name may come again, for a class of several colours. Raises FileNotFoundError, and ValueError for a mixture of both
    kinds, a name or colour that comes twice, or numbers that are not 0, 1, 2, …
    """
    listed = class_yaml.names(path, text.read(path))
    if listed is None:
        listed = [(number, line) for number, line in text.lines(path) if not line.startswith("#")]
    if listed and listed[0][1][0] in "{[<":
        raise ValueError(f"'{path}' is JSON or XML, expected a list of classes: one on each line. Write one.")
    if listed and _is_header(listed[0][1]):
        del listed[0]
    found = _without_numbers([_parse(line, f"'{path}':{number}") for number, line in listed])
    found = [line for line in found if line.colour is not None or line.name != IGNORED]
    coloured = [line.colour is not None for line in found]
    if not found:
        raise ValueError(f"the list of classes '{path}' has no class, expected one on each line. Write them there.")
    if any(coloured) != all(coloured):
        raise ValueError(
            f"the list of classes '{path}' has some lines with a colour and some without, expected one kind of line. "
            "Correct it."
        )
    ids: dict[str, int] = {}
    colours: dict[Colour, int] = {}
    for where, name, colour, _ in found:
        if _CONTROL.search(name):
            raise ValueError(f"{where}: the name {name[:40]!r} has characters that control a terminal. Remove them.")
        is_void = name.lower() == VOID_NAME or name == IGNORED
        if colour is None and (name in ids or is_void):
            why = "is 255 in labels without colours, and has no line" if is_void else "comes twice"
            raise ValueError(f"{where}: {name} {why}. Remove the line.")
        if colour in colours:
            raise ValueError(f"{where}: the colour {colour} comes twice. Give each class colours of its own.")
        cls = VOID if is_void else ids.setdefault(name, len(ids))
        if colour is not None:
            colours[colour] = cls
    if not 0 < len(ids) <= VOID:
        raise ValueError(f"the list of classes '{path}' has {len(ids)} classes, expected 1 to {VOID}. Correct it.")
    return ClassList(tuple(ids), colours)


def _is_header(line: str) -> bool:
    fields = [field.strip(' "').lower() for field in re.split(r"[,;\t]", line)]
    return len(fields) > 1 and _COLUMNS.issuperset(fields)


def _parse(line: str, where: str) -> _Line:
    cvat = _CVAT.fullmatch(line)
    if cvat:
        colour = cvat["colour"]
        return _Line(where, cvat["name"].strip(), _colour(colour.split(","), line, where) if colour else None)
    for separator in "\t;,":
        if separator in line:
            fields = _separated(line, separator, where)
            while fields and not fields[-1]:
                del fields[-1]
            found = _of_fields([field for field in fields if field or separator != "\t"], line, where)
            if found:
                return found
    bare = _TRIPLE.sub(r" \1 \2 \3 ", line)
    if bare != line:
        return _parse(bare.strip(), where)
    words = line.split()
    for name, rest in ((line.rsplit(maxsplit=3)[0], words[-3:]), (line.split(maxsplit=3)[-1], words[:3])):
        if len(words) > 3 and all(map(_is_number, rest)):
            return _Line(where, name, _colour(rest, line, where))
    if len(words) > 1 and _HEX.fullmatch(words[-1]):
        return _Line(where, line.rsplit(maxsplit=1)[0], _hex(words[-1]))
    return _Line(where, line, None)


def _separated(line: str, separator: str, where: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]
    except csv.Error as error:
        raise ValueError(f"{where}: {line[:40]!r} cannot be taken apart ({error}). Is it a class?") from error


def _of_fields(fields: Sequence[str], line: str, where: str) -> _Line | None:
    """A line of separated fields; None if they are not those of a class, so that the separator is part of a name."""
    kinds = "".join(map(_kind, fields))
    if kinds not in _FORMS:
        if kinds.count("n") > 2:
            raise ValueError(
                f"{where}: {line!r} has {len(fields)} columns, expected a name and a colour, such as "
                "name,red,green,blue. Correct it."
            )
        return _Line(where, fields[0], None) if kinds == "w" else None
    name, start = _FORMS[kinds]
    number = _number(fields[0]) if kinds.startswith("nw") else None
    if start is None:
        return _Line(where, fields[name], None, number)
    colour = _hex(fields[start]) if kinds.endswith("h") else _colour(" ".join(fields[start:]).split()[:3], line, where)
    return _Line(where, fields[name], colour, number)


def _kind(field: str) -> str:
    """n: a number, t: three of them, h: a colour in hexadecimal digits, w: words."""
    words = field.split()
    if words and all(map(_is_number, words)):
        return {1: "n", 3: "t"}.get(len(words), "w")
    return "h" if _HEX.fullmatch(field) else "w"


def _without_numbers(lines: list[_Line]) -> list[_Line]:
    """The lines without the numbers that all of them begin with.

    Raises ValueError if these are not 0, 1, 2, …, or, of classes with colours, not in ascending order.
    """
    numbered = []
    for line in lines:
        match = _NUMBERED.fullmatch(line.name)
        if line.number is not None:
            numbered.append(line)
        elif match:
            numbered.append(line._replace(name=match[2], number=_number(match[1])))
    if len(numbered) < len(lines) or len(lines) < 2:
        return lines
    coloured = lines[0].colour is not None
    before = -1
    for line in numbered:
        number = line.number or 0
        is_void = line.name.lower() == VOID_NAME
        if not is_void and (number < before if coloured else number != before + 1):
            raise ValueError(
                f"{line.where}: the class {line.name} has the number {number}, expected {before + 1}: classes are "
                "numbered 0, 1, 2, … as they come. Sort the lines, add those that are missing (where labels count "
                "from 1, a class 0, such as background, comes first), or leave the numbers out."
            )
        before = before if is_void else number
    return numbered


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _number(word: str) -> int:
    """The number of a word; of very many digits, one that is too large for anything here."""
    return int(word) if len(word) < 10 else 10**9


def _colour(words: Sequence[str], line: str, where: str) -> Colour:
    red, green, blue = map(_number, words)
    if max(red, green, blue) > VOID:
        raise ValueError(f"{where}: the colour of {line!r} is not of numbers from 0 to 255. Correct it.")
    return red, green, blue


def _hex(word: str) -> Colour:
    match = _HEX.fullmatch(word)
    assert match
    red, green, blue = (int(part, 16) for part in match.groups())
    return red, green, blue
