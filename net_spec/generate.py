"""Writes messages as prototxt files, and finds files that are out of date."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from google.protobuf import text_format

HEADER = "# Written by `{command}`: do not edit.\n"
COMMAND = "python -m net_spec"


def write(files: dict[str, Any], command: str = COMMAND) -> None:
    """Writes every message to its path, under a line that tells the command it came from."""
    for path, message in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(HEADER.format(command=command) + text_format.MessageToString(message))


def differences(files: dict[str, Any], root: Path, left_out: Collection[str] = ()) -> Iterator[str]:
    """Lines of a diff from what is below `root` to `files`: none if they mean the same.

    Files count as messages: formatting and comments are free, and so is the order of the settings in a `param_str`.
    A file that this program wrote before and would not write now is a difference too, unless it is of a net that was
    left out.
    """
    for path, message in files.items():
        old = meaning((root / path).read_text(), type(message)) if (root / path).exists() else ""
        yield from difflib.unified_diff(old.splitlines(), canonical(message).splitlines(), path, "new", lineterm="")
    for found in sorted([*(root / "nets").rglob("*.prototxt"), *(root / "solvers").rglob("*.prototxt")]):
        name = found.relative_to(root).as_posix()
        ours = not {found.stem, found.parent.name} & {*left_out}
        if ours and name not in files and found.read_text().startswith(HEADER.format(command=COMMAND)):
            yield from (f"--- {name}", "+++ new", "no row of the catalogue makes this file: remove it")


def meaning(text: str, message_type: type) -> str:
    """`canonical` of a prototxt. Text that cannot be parsed stands for itself, and so differs from every message."""
    try:
        return canonical(text_format.Parse(text, message_type()))
    except text_format.ParseError as error:
        return f"{error}\n{text}"


def canonical(message: Any) -> str:
    """A message as text, with the settings of Python layers in alphabetical order."""
    copy = type(message)()
    copy.CopyFrom(message)
    for layer in getattr(copy, "layer", ()):
        if layer.python_param.param_str:
            settings = ast.literal_eval(layer.python_param.param_str)
            layer.python_param.param_str = repr({key: settings[key] for key in sorted(settings)})
    return text_format.MessageToString(copy)
