"""The home of a person's project: the folder that has tasks/, snapshot/, data/ and out/.

It is the folder that --root names, or the environment variable FCN_CAFFE_ROOT, or the nearest one upwards of the
working folder that has tasks/ or snapshot/, or the working folder. Tools work in it; the paths that a user types are
relative to the user's working folder.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

OPTION, VARIABLE = "--root", "FCN_CAFFE_ROOT"
MARKS = ("tasks", "snapshot")

_started_in: Optional[Path] = None


def find(given: str | None, start: Path) -> Path:
    """The home, for what --root says, if it does, and the working folder. Raises ValueError for what is no folder."""
    for who, named in ((OPTION, given), (VARIABLE, os.environ.get(VARIABLE))):
        if named:
            if not (start / named).is_dir():
                raise ValueError(
                    f"{who} {named}: there is no folder '{start / named}', expected the home of a project, which has "
                    "tasks/, snapshot/, data/ and out/. Make it, or name another."
                )
            return (start / named).resolve()
    above = (folder for folder in (start, *start.parents) if any((folder / mark).is_dir() for mark in MARKS))
    return next(above, start)


@contextlib.contextmanager
def entered(arguments: Sequence[str], who: str) -> Iterator[None]:
    """Work in the home that the arguments of a tool name, and so let programs do that it starts."""
    global _started_in
    start, before, variable = Path.cwd(), _started_in, os.environ.get(VARIABLE)
    home = find(_option(arguments), start)
    if home != start:
        print(f"{who}: in {home}", file=sys.stderr)
    _started_in, os.environ[VARIABLE] = start, str(home)
    os.chdir(home)
    try:
        yield
    finally:
        os.chdir(start)
        _started_in = before
        if variable is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = variable


def path(typed: str) -> Path:
    """A path that a user typed, as it is to be read in the home."""
    return Path(typed) if _started_in in (None, Path.cwd()) else _started_in / typed


def text(typed: str) -> str:
    """The same as text."""
    return str(path(typed)) if typed else typed


def _option(arguments: Sequence[str]) -> str | None:
    """What the arguments say with --root, wherever it stands; the last counts."""
    found = None
    for argument, after in zip(arguments, [*arguments[1:], ""]):
        if argument == OPTION:
            found = after
        elif argument.startswith(f"{OPTION}="):
            found = argument.split("=", 1)[1]
    return found
