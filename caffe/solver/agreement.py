"""Checks that solvers that train together have the same settings, net and data.

Files and folders that settings name are compared by their contents, so that they may lie at other paths on other
machines: a list, an HDF5 file or a database by its size, its first and its last megabyte; a folder by the names and
sizes of what is in it.
"""

import ast
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from caffe.proto import caffe_pb2
from caffe.solver import nets

ENDS = 1 << 20  # bytes of a file that are read at its beginning and at its end
LOCKS = ("lock.mdb", "LOCK", "LOG", "LOG.old")
"""Files of databases that are not data."""
OF_ONE_SOLVER = ("snapshot_prefix", "device_id", "net", "net_param", "train_net", "train_net_param", "debug_info")
"""Fields of a solver that may differ, or that are compared as a net."""


def described(param: caffe_pb2.SolverParameter) -> dict[str, str]:
    """What must be the same for all solvers: each part's name, and what a solver has there.

    param: a SolverParameter. Keys are those of its settings, "layer 'NAME'", and "data of layer 'NAME'".
    """
    parts = {
        f"solver: {field.name}": _text(value)
        for field, value in param.ListFields()
        if field.name not in OF_ONE_SOLVER and not field.name.startswith("test_")
    }
    for layer in nets.train_net(param).layer:
        named = sorted(set(_existing(layer)))
        text = str(layer)
        for path in named:
            text = text.replace(path, "…")
        parts[f"layer '{layer.name}'"] = text
        if named:
            parts[f"data of layer '{layer.name}'"] = ", ".join(map(content, named))
    return parts


def difference(own: Mapping[str, str], others: Mapping[str, str]) -> str | None:
    """The first part in which two descriptions differ, with what each has; None where they are equal."""
    for name in [*own, *(name for name in others if name not in own)]:
        here, there = own.get(name, "nothing"), others.get(name, "nothing")
        if here != there:
            return f"{name}: {_changed(here, there)} here, {_changed(there, here)} there"
    return None


def content(path: str) -> str:
    """What a file or folder holds, in a few words that are the same wherever it lies."""
    if os.path.isdir(path):
        entries = sorted(
            (entry.name, entry.stat().st_size if entry.is_file() else 0)
            for entry in os.scandir(path)
            if entry.name not in LOCKS
        )
        parts = "".join(f"{name}\0{size}\0" for name, size in entries)
        ends = "".join(_ends(os.path.join(path, name)) for name, _ in entries) if len(entries) < 10 else ""
        return f"{len(entries)} files ({_short(parts + ends)})"
    return f"{os.path.getsize(path):,} bytes ({_short(_ends(path))})"


def _ends(path: str) -> str:
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read(ENDS))
        file.seek(max(ENDS, os.path.getsize(path) - ENDS))
        digest.update(file.read(ENDS))
    return digest.hexdigest()


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


def _existing(value: Any) -> Iterator[str]:
    """The files and folders that a message's strings name, those in a Python layer's param_str too."""
    if isinstance(value, str):
        if value.strip(" ./") and "\0" not in value and os.path.exists(value):
            yield value
        elif value.lstrip().startswith("{"):
            yield from _existing(_literal(value))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _existing(each)
    elif hasattr(value, "ListFields"):
        for field, each in value.ListFields():
            if field.name not in ("name", "type", "top", "bottom"):
                yield from _existing(each)
    elif hasattr(value, "__iter__") and not isinstance(value, bytes):
        for each in value:
            yield from _existing(each)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _text(value: Any) -> str:
    return str(list(value)) if hasattr(value, "extend") else str(value)


def _changed(text: str, other: str) -> str:
    """The first line of a text that the other has not."""
    theirs = set(other.splitlines())
    return next((f"'{line.strip()}'" for line in text.splitlines() if line not in theirs), "less")
