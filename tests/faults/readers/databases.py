"""LMDB and LevelDB: their entries, and the nets that read them."""

from __future__ import annotations

import io
import random
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np

import caffe
from caffe.data.database import Database
from caffe.proto import caffe_pb2
from tests.faults import bytes_of, verdict
from tests.faults.child import Input, Reader
from tests.faults.readers import weights

_NET = """
layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{
  source: "db" backend: {backend} batch_size: 2 prefetch: 1 }} }}
"""
_PAGE = 4096
_META_FIELDS = (*range(16, 152, 8), 10, 12, 14)
"""Offsets in an LMDB's page of what matters: flags, bounds, magic, version, sizes, roots, counts."""


def _folder(fill: Callable[[Path], object]) -> Input:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "db")
        fill(path)
        return {
            f"db/{file.name}": file.read_bytes() for file in path.iterdir() if file.name not in ("lock.mdb", "LOCK")
        }


def _entries(count: int, size: int) -> list[tuple[bytes, bytes]]:
    rng = np.random.RandomState(count)
    found = []
    for index in range(count):
        pixels = rng.randint(0, 256, (3, size, size)).astype(np.uint8)
        datum = caffe_pb2.Datum(channels=3, height=size, width=size, data=pixels.tobytes(), label=index)
        found.append((b"%08d" % index, datum.SerializeToString()))
    return found


def _fill_lmdb(entries: list[tuple[bytes, bytes]]) -> Callable[[Path], None]:
    def fill(path: Path) -> None:
        with lmdb.open(str(path), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
            for key, value in entries:
                transaction.put(key, value)

    return fill


def _lmdbs() -> list[Input]:
    """Of one page; with values that fill pages of their own; of several levels; with encoded images."""
    contents = (
        _entries(3, 4),
        _entries(4, 50),
        _entries(300, 3),
        [(b"%d" % i, d) for i, d in enumerate(weights.datums())],
    )
    net = {"net.prototxt": _NET.format(backend="LMDB").encode()}
    return [{**_folder(_fill_lmdb(entries)), **net} for entries in contents]


def _leveldbs() -> list[Input]:
    """Real Caffe's: as tables with Snappy, and as a log. A fresh one would have other bytes each time."""
    net = {"net.prototxt": _NET.format(backend="LEVELDB").encode()}
    recorded = zipfile.ZipFile(io.BytesIO((verdict.ROOT / "tests/recorded/leveldb.zip").read_bytes()))
    found = []
    for kind in ("log", "table"):
        names = [name for name in recorded.namelist() if name.startswith(f"{kind}/") and not name.endswith("/")]
        found.append({f"db/{name.partition('/')[2]}": recorded.read(name) for name in names})
    return [{**each, **net} for each in found]


def _damage_lmdb(files: Input, draw: random.Random) -> Input:
    content = bytearray(files["db/data.mdb"])
    choice = draw.random()
    if choice < 0.15:
        content = content[: draw.choice((len(content) // 2, len(content) * 9 // 10, draw.randrange(len(content))))]
    elif choice < 0.4:
        return {**files, "db/data.mdb": bytes_of.damaged(bytes(content), draw)}
    else:
        for _ in range(draw.choice((1, 1, 2, 5))):
            page = draw.randrange(len(content) // _PAGE) * _PAGE
            _change_page(content, page, draw)
    return {**files, "db/data.mdb": bytes(content)}


def _change_page(content: bytearray, page: int, draw: random.Random) -> None:
    """A number in the head of a page, in one of its nodes, or anywhere in it; or another page in its place."""
    way = bytes_of.weighted(draw, (3, "head"), (3, "node"), (2, "meta"), (1, "any"), (1, "page"))
    if way == "page":
        other = draw.randrange(len(content) // _PAGE) * _PAGE
        content[page : page + _PAGE] = content[other : other + _PAGE]
        return
    width, code = bytes_of.weighted(draw, (3, (2, "H")), (1, (4, "I")), (1, (8, "Q")))
    if way == "head":
        place = page + draw.choice((0, 8, 10, 12, 14, *range(16, 40, 2)))
    elif way == "meta":
        place = draw.randrange(2) * _PAGE + draw.choice(_META_FIELDS)
    elif way == "node":
        lower = struct.unpack_from("<H", content, page + 12)[0]
        pointers = max(min(lower, _PAGE) - 16, 2) // 2
        node = struct.unpack_from("<H", content, page + 16 + 2 * draw.randrange(pointers))[0]
        place = page + min(node, _PAGE - 16) + draw.choice((0, 2, 4, 6, 8, 12))
    else:
        place = page + draw.randrange(_PAGE - 8)
    small = draw.randrange(0, max(len(content) // _PAGE, 2) + 1)
    value = draw.choice((bytes_of.number(draw, 0), small, draw.randrange(_PAGE), 2**16 - 2)) % 2 ** (8 * width)
    content[place : place + width] = struct.pack("<" + code, value)


def _damage_leveldb(files: Input, draw: random.Random) -> Input:
    names = sorted(name for name in files if name.startswith("db/"))
    name = draw.choice(names)
    if draw.random() < 0.05:
        return {each: content for each, content in files.items() if each != name}
    if name == "db/CURRENT" and draw.random() < 0.8:
        words = ("../net.prototxt", "/etc/passwd", "", ".", "MANIFEST-999999", "x\0y", "é" * 200, "CURRENT", "\udcff")
        return {**files, name: draw.choice(words).encode("utf-8", "surrogateescape")}
    content = files[name]
    if draw.random() < 0.1 and ("MANIFEST" in name or name.endswith(".log")):
        return {**files, name: content + _records(draw)}
    if draw.random() < 0.1 and name.endswith((".ldb", ".sst")):  # the length that Snappy claims
        return {**files, name: bytes_of.varint(bytes_of.number(draw, 0)) + content[draw.randrange(6) :]}
    return {**files, name: bytes_of.damaged(content, draw)}


def _records(draw: random.Random) -> bytes:
    """Records as in a log: of numbers that do not end, of zeros, or of anything."""
    content = draw.choice((b"\xff" * 300_000, bytes(300_000), draw.randbytes(200), bytes(12) + b"\1" * 5000))
    content = bytes([draw.choice((0, 1, 2, 3, 4, 5, 6, 7, 9))]) + content
    parts = [content[place : place + 32000] for place in range(0, len(content), 32000)]
    kinds = [1] if len(parts) == 1 else [2, *[3] * (len(parts) - 2), 4]
    return b"".join(struct.pack("<IHB", 0, len(part), kind) + part for part, kind in zip(parts, kinds, strict=True))


def _read(backend: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        for _ in Database(folder / "db", backend):
            pass
        net = caffe.Net("net.prototxt", caffe.TRAIN)
        net.forward()
        net.forward()

    return read


READERS = (
    Reader("lmdb", _lmdbs, _damage_lmdb, _read("lmdb")),
    Reader("leveldb", _leveldbs, _damage_leveldb, _read("leveldb")),
)
