"""Damage to HDF5 files object by object: other types, shapes, filters and places, links elsewhere or in circles.

A file beside the input, `secret.h5` or `secret.bin`, holds the number SECRET: it must never come out of a reader.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.faults import bytes_of
from tests.faults.child import Input
from tests.faults.verdict import Escaped

SECRET = 1234.5
_NAMES = (
    "",
    ".",
    "..",
    "0",
    "1",
    "-1",
    "1023",
    "1024",
    "99999999999",
    "1e3",
    "\u0663",
    "0x1",
    "x" * 3000,
    "a/b/c",
    "é",
)
_TYPES = ("f2", "<f8", ">f4", "i1", "u8", "?", "c8", "S3", "V5", h5py.string_dtype(), h5py.ref_dtype)
_SHAPES = ((), (0,), (1,), (2, 0), (1,) * 32, (3, 1), (2,), (64, 64))
_MOST_VALUES = 1 << 24
_HUGE = ((10**9,), (2**31,), (100_000, 100_000), (2**62,), (2**32, 2**31), (37 * 2**28,))


def file_of(fill: Callable[[h5py.File], object]) -> bytes:
    """The bytes of an HDF5 file that `fill` fills."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.h5")
        with h5py.File(path, "w") as file:
            fill(file)
        return path.read_bytes()


def secrets() -> Input:
    """Files that are none of the input's business."""
    values = np.full(4096, SECRET, np.float32)
    return {
        "secret.h5": file_of(lambda file: file.create_dataset("data", data=values)),
        "secret.bin": values.tobytes(),
    }


def check(*arrays: np.ndarray | None) -> None:
    """Raise Escaped where the number is among what was read."""
    for array in arrays:
        if array is not None and array.size and (np.asarray(array, np.float64) == SECRET).any():
            raise Escaped("numbers of another file were read")


def damage(name: str) -> Callable[[Input, random.Random], Input]:
    """Damage to the HDF5 file `name` of an input."""

    def change(files: Input, draw: random.Random) -> Input:
        content = files[name]
        if draw.random() < 0.6:
            content = damaged(content, draw)
        else:
            content = bytes_of.damaged(content, draw)
        return {**files, name: content}

    return change


def damaged(content: bytes, draw: random.Random) -> bytes:
    """A file with one or two changes of its objects; now and then of its bytes, too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.h5")
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            names: list[str] = []
            file.visit(names.append)
            for _ in range(draw.choice((1, 1, 2))):
                with contextlib.suppress(
                    KeyError, ValueError, OSError, RuntimeError, TypeError
                ):  # below what went before
                    _change(file, draw.choice(names) if names else "data", draw)
        content = path.read_bytes()
    return bytes_of.damaged(content, draw) if draw.random() < 0.15 else content


def _change(file: h5py.File, name: str, draw: random.Random) -> None:
    if draw.random() < 0.12:
        _rename(file, name, draw)
        return
    found = file.get(name)
    few = isinstance(found, h5py.Dataset) and (found.size or 0) <= _MOST_VALUES
    values = np.asarray(found[()]) if few else np.arange(6, dtype=np.float32)
    if name in file:
        del file[name]
    draw.choice(_WAYS)(file, name, values, draw)


def _rename(file: h5py.File, name: str, draw: random.Random) -> None:
    new = "/".join([*name.split("/")[:-1], draw.choice(_NAMES) or "x"])
    if new not in file and name in file and not new.startswith(f"{name}/"):
        file.move(name, new)


def _other_type(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    dtype = draw.choice(_TYPES)
    file.create_dataset(name, draw.choice(_SHAPES), dtype)


def _other_shape(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    file.create_dataset(name, data=np.ones(draw.choice(_SHAPES), draw.choice(("f4", "f8", "i4", "u1"))))


def _nothing_stored(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    """A shape that the disk could not hold, of which nothing is there."""
    chunks = draw.random() < 0.7 or None
    file.create_dataset(name, draw.choice(_HUGE), draw.choice(("f4", "f8", "u1")), chunks=chunks, fillvalue=7)


def _empty(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    file.create_dataset(name, data=h5py.Empty(draw.choice(("f4", "S4"))))


def _compound(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    file.create_dataset(name, (3,), np.dtype([("a", "f4"), ("b", "i8", (2,))]))


def _external_storage(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    size = max(values.size, 1)
    path = draw.choice(("secret.bin", os.path.join("..", "secret.bin"), "missing.bin"))
    file.create_dataset(name, np.shape(values) or (1,), "f4", external=[(path, 0, size * 4)])


def _virtual(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    size = min(max(values.size, 1), 4096)
    layout = h5py.VirtualLayout((size,), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "data", (4096,))[:size]
    file.create_virtual_dataset(name, layout)


def _filtered(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    """Compressed, so that damage to bytes meets the filters; now and then a bomb."""
    if draw.random() < 0.1:
        values = np.zeros(1 << 24, np.float32)
    options = draw.choice(({"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True}, {"fletcher32": True}))
    if values.ndim:
        file.create_dataset(name, data=values, chunks=True, **options)
    else:
        file.create_dataset(name, data=values)


def _external_link(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    place = draw.choice(("/data", "/", "/missing"))
    file[name] = h5py.ExternalLink(draw.choice(("secret.h5", "missing.h5", "../secret.h5")), place)


def _soft_link(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    file[name] = h5py.SoftLink(draw.choice(("/", f"/{name}", "/data", "/missing", "..")))


def _circle(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    file.require_group(name)["again"] = file


def _group(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    group = file.require_group(name)
    for index in draw.sample(range(12), draw.choice((0, 1, 5))):
        group.create_dataset(str(index), data=values)


def _deep(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    """Groups in groups. They are linked from the inside out, since HDF5 walks a path from its beginning each time."""
    group = file.create_group(None)
    if draw.random() < 0.5:
        group.create_dataset("0", data=values)
    for _ in range(draw.choice((10, 300, 3000))):
        outer = file.create_group(None)
        outer["g"] = group
        group = outer
    file[name] = group


def _named_type(file: h5py.File, name: str, values: np.ndarray, draw: random.Random) -> None:
    file[name] = np.dtype(draw.choice(("f4", "S7")))


_WAYS = (
    *(_other_type, _other_type, _other_shape, _other_shape, _nothing_stored, _nothing_stored, _empty, _compound),
    *(_external_storage, _virtual, _filtered, _filtered, _external_link, _soft_link, _circle, _group, _deep),
    _named_type,
)
