"""Lists of classes: text files with one class on each line, and its colour if labels are coloured."""

from __future__ import annotations

from typing import NamedTuple

from segdata import files
from segdata.labels import VOID, Colour

VOID_NAME = "void"


class ClassList(NamedTuple):
    """The names of the classes, in order, and, if the file has colours, the class or the void of each colour."""

    names: tuple[str, ...]
    colours: dict[Colour, int]


def read(path: str) -> ClassList:
    """The list in a file with lines `name` or `name red green blue`; blank lines, and those that begin with #, do not
    count.

    Classes are numbered as they come. The name `void`, which needs a colour, is none of them. Among coloured lines, a
    name may come again, for a class of several colours. Raises FileNotFoundError, and ValueError for a mixture of both
    kinds, or a name or colour that comes twice.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = [(number, line.strip()) for number, line in enumerate(file, start=1)]
    except FileNotFoundError as error:
        raise files.missing(path) from error
    found = [(f"'{path}':{number}", *_parse(line, f"'{path}':{number}")) for number, line in lines if _counts(line)]
    coloured = [colour is not None for _, _, colour in found]
    if not found or any(coloured) != all(coloured):
        what = "some lines with a colour and some without" if found else "no class"
        raise ValueError(f"the list of classes '{path}' has {what}, expected one kind of line. Correct it.")
    ids: dict[str, int] = {}
    colours: dict[Colour, int] = {}
    for where, name, colour in found:
        if colour is None and (name in ids or name == VOID_NAME):
            why = "is 255 in labels without colours, and has no line" if name == VOID_NAME else "comes twice"
            raise ValueError(f"{where}: {name} {why}. Remove the line.")
        if colour in colours:
            raise ValueError(f"{where}: the colour {colour} comes twice. Give each class colours of its own.")
        cls = VOID if name == VOID_NAME else ids.setdefault(name, len(ids))
        if colour is not None:
            colours[colour] = cls
    if not 0 < len(ids) <= VOID:
        raise ValueError(f"the list of classes '{path}' has {len(ids)} classes, expected 1 to {VOID}. Correct it.")
    return ClassList(tuple(ids), colours)


def _counts(line: str) -> bool:
    return bool(line) and not line.startswith("#")


def _parse(line: str, where: str) -> tuple[str, Colour | None]:
    """The name and the colour of a line."""
    name, *numbers = line.rsplit(maxsplit=3)
    if len(numbers) < 3 or not all(number.isdecimal() for number in numbers):
        return line, None
    red, green, blue = (int(number) for number in numbers)
    if max(red, green, blue) > 255:
        raise ValueError(f"{where}: the colour of {line!r} is not of numbers from 0 to 255. Correct it.")
    return name, (red, green, blue)
