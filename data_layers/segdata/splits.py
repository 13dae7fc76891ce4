"""Splits: text files with one image on each line.

A line is a name; or a path, whose ending and leading folders need not be there; or such a name or path with more
columns after it, separated by tabs, commas, semicolons or space: the path of its label, or what does not matter here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fcn_caffe.data_layers.segdata import text
from fcn_caffe.data_layers.segdata.files import ENDINGS

Known = Callable[[str], bool]
"""Whether there is a file of this name (without ending)."""

_LONGEST, _MOST_WORDS, _MOST_FOLDERS = 4096, 8, 16
"""What is looked at of a line: characters, words of the first column, and folders before a name."""
_MOST_UNKNOWN = 50
"""After so many lines that name nothing that is known, the others are not looked for, unless most were known."""
_COLUMNS = {
    *("image", "images", "img", "file", "filename", "file_name", "name", "path", "image_path", "id", "image_id"),
    *("label", "labels", "mask", "masks", "annotation", "annotations", "label_path", "mask_path", "class", "split"),
}
"""What a first line may call its columns."""


class Entry(NamedTuple):
    """The name of an image, and that of its label, None where the line has none and it is the image's own."""

    image: str
    label: str | None = None


def read_names(path: str, who: str) -> list[str]:
    """The lines of a split file, in order, without blank ones. who: what errors begin with; nothing if it is empty.

    Raises FileNotFoundError, which lists the splits that do exist beside the path, and ValueError for an empty file.
    """
    before = f"{who}: " if who else ""
    try:
        names = [line for _, line in text.lines(path)]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{before}there is no split file '{path}'; {_what_exists(path)}") from error
    except ValueError as error:
        raise ValueError(f"{before}the split file {error}") from error
    if not names:
        raise _empty(path, who)
    return names


def read_entries(path: str, who: str, is_image: Known, is_label: Known) -> list[Entry]:
    """The images of a split file, and the labels that it names beside them. A line of which nobody knows what it names
    stands as it is."""
    found: list[Entry] = []
    unknown = 0
    for number, line in enumerate(read_names(path, who)):
        hopeful = unknown < max(_MOST_UNKNOWN, len(found) / 2) and len(line) <= _LONGEST
        entry = _entry(line, is_image, is_label) if hopeful else None
        if entry is None and (line.startswith("#") or (number == 0 and _is_header(line))):
            continue
        unknown += entry is None
        found.append(entry or Entry(line))
    if not found:
        raise _empty(path, who)
    return found


def read_images(path: str, who: str, is_image: Known) -> list[str]:
    """The images alone. In a list whose lines can be nothing but names, nothing is looked for."""
    lines = read_names(path, who)
    if all(map(_is_plain, lines)):
        return lines
    return [entry.image for entry in read_entries(path, who, is_image, lambda name: False)]


def _empty(path: str, who: str) -> ValueError:
    before = f"{who}: " if who else ""
    return ValueError(f"{before}the split file '{path}' names no image; expected one name on each line. Fill it.")


def _is_plain(line: str) -> bool:
    return not any(mark in line for mark in " \t,;/\\.#")


def _entry(line: str, is_image: Known, is_label: Known) -> Entry | None:
    for image, rest in _cut(line):
        name = _known(image, is_image, folders=bool(rest) or not _has_columns(image))
        if name is not None:
            return Entry(name, _label(rest, name, is_label))
    return None


def _label(columns: str, image: str, is_label: Known) -> str | None:
    """The label that the columns after an image begin with; None where they name none, or one like the image. A name
    of an image file that nobody knows stands as it is."""
    unknown = None
    for column, _ in _cut(columns):
        is_file = os.path.splitext(column)[1].lower() in ENDINGS
        if is_file or "/" in column:
            name = _known(column, is_label, folders=True)
            if name is not None:
                return name if name != image else None
        if is_file:
            unknown = column
    return unknown


def _cut(line: str) -> Iterator[tuple[str, str]]:
    """The ways to take a line apart into a first column and the others: none, at the first tab, semicolon or comma, or
    at any space, from the last to the first."""
    yield line, ""
    for separator in "\t;,":
        if separator in line:
            first, rest = line.split(separator, 1)
            yield first.strip().strip('"'), rest.strip()
    words = line.split()
    for count in range(min(len(words) - 1, _MOST_WORDS), 0, -1):
        yield " ".join(words[:count]), " ".join(words[count:])


def _has_columns(line: str) -> bool:
    """Whether a line looks like several columns, not like one path with spaces in it."""
    words = [word for word in re.split(r"[\t,; ]+", line) if word]
    pictures = [os.path.splitext(word)[1].lower() in ENDINGS for word in words]
    if any(pictures):
        return any(pictures[:-1])
    return any("/" in word for word in words[1:])


def _known(path: str, known: Known, folders: bool) -> str | None:
    """The name that is known for a path: itself, without its ending, or, if `folders` may be left out, a part of it."""
    path = path.replace("\\", "/").strip('"')
    path = re.sub(r"^([A-Za-z]:)?(\.{0,2}/)+", "", path)
    for spelled in dict.fromkeys((path, text.composed(path))):
        stem, ending = os.path.splitext(spelled)
        if " " in ending:
            stem, ending = spelled, ""
        for name in (spelled, stem):
            if known(name):
                return name
        names = (stem, spelled) if ending.lower() in ENDINGS else (spelled, stem)
        depth = spelled.count("/") if folders else 0
        for first in range(max(1, depth - _MOST_FOLDERS), depth + 1):
            for name in names:
                part = name.split("/", first)[first]
                if part and known(part):
                    return part
    return None


def _is_header(line: str) -> bool:
    return _COLUMNS.issuperset(word.lower() for word in line.replace(",", " ").replace(";", " ").split())


def _what_exists(path: str) -> str:
    folder, filename = os.path.split(path)
    folder = folder or os.curdir
    if not os.path.isdir(folder):
        return (
            f"not even its folder '{os.path.abspath(folder)}' exists. Correct the data set's folder, or "
            "start from the folder that it is relative to."
        )
    ending = os.path.splitext(filename)[1]
    splits = sorted(entry[: -len(ending)] for entry in os.listdir(folder) if entry.endswith(ending))
    return f"the splits there are: {', '.join(splits) or 'none'}. Choose one of them, or write the missing list."
