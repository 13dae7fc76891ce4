"""Files that are written whole or not at all. What a killed process left goes when the same file is written again.

caffe/formats/atomic.py does the same for the engine, and flushes to the disk besides. There are two because the tools
run under BVLC Caffe, too, which has no such module, and the engine imports nothing of the tools.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write, that takes its name only once all is written; its folder is made."""
    with unfinished(path) as part, open(part, "wb") as file:
        yield file


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """The path of a file to write, that is renamed to this one once all is written; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        pid = left.name[len(path.name) + 2 : -len(".part")]
        if pid.isdigit() and int(pid) != os.getpid() and not _may_run(int(pid)):
            left.unlink(missing_ok=True)


def _may_run(pid: int) -> bool:
    """Whether a process with this number may be running; on some systems it cannot be asked without harm."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def read_json(path: Path) -> Any:
    """The values in a file of JSON. Raises FileNotFoundError, and ValueError with the path for one that is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"'{path}' is not JSON: {error}") from error


def write_json(path: Path, values: Any) -> None:
    """Plain values as JSON, on one line."""
    with open_atomic(path) as file:
        file.write((json.dumps(values) + "\n").encode())
