"""Lists of classes in YAML, as the data files of YOLO and others have them, read without a YAML parser.

These forms are read, under `names` (or `classes`, `labels`, `class_names`) at the beginning of a line; other keys there
do not count:

    names: [sky, road]      names:         names:         - sky        0: sky
    names: {0: sky}           - sky          0: sky       - road       1: road
                              - road         1: road
"""

from __future__ import annotations

import re
from typing import NamedTuple

KEYS = ("names", "classes", "labels", "class_names")
ENDINGS = (".yaml", ".yml")

_HEAD = re.compile(rf"({'|'.join(KEYS)})\s*:\s*(?P<rest>[\[{{].*|#.*|)", re.DOTALL)
_KEY = re.compile(r"[A-Za-z_][\w-]*\s*:(\s|$)")
_REMARK = re.compile(r"(^|\s)#.*")
_NUMBERED = re.compile(r"(\d{1,9})\s*:\s+(.+)")
_ITEM = re.compile(r"-\s+(.+)")
_TOKEN = re.compile(r"""\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*|([^\s,\]}"'][^,\]}]*))(?:,|$)""")
_MARKS = "[]{}&*!|>%@`"
"""What an entry in YAML that is not merely a name begins with."""


class Line(NamedTuple):
    """A line of the file: its number, and its text without what follows a #."""

    number: int
    text: str


def names(path: str, content: str) -> list[tuple[int, str]] | None:
    """The names in a file, in order, each with the number of its line; None if the file is no YAML.

    Raises ValueError for YAML of another form, and for numbers that are not 0, 1, 2, …
    """
    lines = [Line(number, _REMARK.sub("", line).rstrip()) for number, line in enumerate(content.split("\n"), start=1)]
    lines = [line for line in lines if line.text.strip() not in ("", "---", "...")]
    heads = [place for place, line in enumerate(lines) if _HEAD.fullmatch(line.text)]
    if heads:
        return _under(lines, heads[0], path)
    if lines and all(_ITEM.fullmatch(line.text) for line in lines):
        return _block(lines, path)
    if lines and path.lower().endswith(ENDINGS):
        return _block(lines, path)
    return None


def _under(lines: list[Line], head: int, path: str) -> list[tuple[int, str]]:
    """What stands under a key: on its line, or on those below it, up to the next key."""
    match = _HEAD.fullmatch(lines[head].text)
    assert match
    below = lines[head + 1 :]
    if not match["rest"]:
        end = next((place for place, line in enumerate(below) if _KEY.match(line.text)), len(below))
        return _block(below[:end], path)
    parts = [match["rest"]]
    closing = {"[": "]", "{": "}"}[match["rest"][0]]
    for line in below:
        if parts[-1].endswith(closing):
            break
        parts.append(line.text.strip())
    text = " ".join(parts)
    if not text.endswith(closing):
        raise _strange(path, lines[head])
    return _flow(text, lines[head], path)


def _flow(text: str, line: Line, path: str) -> list[tuple[int, str]]:
    """[a, b], or {0: a, 1: b}."""
    inside, place, found = text[1:-1].rstrip().removesuffix(","), 0, []
    while place < len(inside):
        match = _TOKEN.match(inside, place)
        if match is None:
            raise _strange(path, line)
        found.append(Line(line.number, (match[1] or match[2]).strip()))
        place = match.end()
    if text[0] == "[":
        return [(each.number, _scalar(each.text, each, path)) for each in found]
    return _numbered(found, path)


def _block(lines: list[Line], path: str) -> list[tuple[int, str]]:
    """An entry on each line: `- a`, or `0: a`."""
    stripped = [Line(line.number, line.text.strip()) for line in lines]
    items = [_ITEM.fullmatch(line.text) for line in stripped]
    if any(items):
        found = []
        for line, item in zip(stripped, items):
            if item is None or re.match(r"[\w-]+:\s", item[1]):
                raise _strange(path, line)
            found.append((line.number, _scalar(item[1], line, path)))
        return found
    return _numbered(stripped, path)


def _numbered(lines: list[Line], path: str) -> list[tuple[int, str]]:
    """Entries `0: a`, in the order of their numbers."""
    found = {}
    for line in lines:
        match = _NUMBERED.fullmatch(line.text)
        if match is None:
            raise _strange(path, line)
        number = int(match[1])
        if number in found:
            raise ValueError(f"'{path}':{line.number}: the class {number} comes twice. Correct the list.")
        found[number] = (line.number, _scalar(match[2], line, path))
    missing = next((number for number in range(len(found)) if number not in found), None)
    if missing is not None:
        raise ValueError(
            f"'{path}' has classes numbered up to {max(found)} and none numbered {missing}, expected 0, 1, 2, … Add "
            "those that are missing: where labels count from 1, a class 0, such as background, is one."
        )
    return [found[number] for number in sorted(found)]


def _scalar(text: str, line: Line, path: str) -> str:
    """A name, without the quotes around it."""
    name = text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        name = text[1:-1].strip()
    elif text[0] in _MARKS or text[0] in "'\"":
        raise _strange(path, line)
    if not name:
        raise ValueError(f"'{path}':{line.number}: a class has an empty name. Give it one.")
    return name


def _strange(path: str, line: Line) -> ValueError:
    return ValueError(
        f"'{path}':{line.number}: {line.text.strip()[:40]!r} is YAML of a form that is not read, expected `names:` "
        "with `- name` or `0: name` on each line below it. Write it so, or as text with a class on each line."
    )
