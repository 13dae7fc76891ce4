"""Reading LevelDB, the database that Caffe wrote before LMDB became usual.

Why it is our own: LevelDB's library has no read-only mode. It locks the folder and rewrites its log when it opens a
database, so that a data set on a read-only disk, or one that two trainings share, cannot be opened; and its Python
packages have no wheels for every Python. Writing does use the library (plyvel, leveldb_writer.py). Here nothing is
written, and no lock is taken.

A database is a folder:

    CURRENT            the name of the manifest
    MANIFEST-000005    a log of version edits: which tables there are, which log files are not in a table yet
    000008.ldb (.sst)  a table: blocks of sorted entries, an index of the blocks, a footer of 48 bytes
    000009.log         the newest writes, not sorted

Log files and manifests are 32 KiB blocks of records `crc32c (4 bytes), length (2), kind (1: whole, 2: first, 3: middle,
4: last), content`. A table's block is a list of entries `shared, unshared, value length (varints), rest of the key,
value`, then restart points, then one byte that says whether it is compressed by Snappy. A key in a table ends with
eight bytes `sequence << 8 | kind` (kind 0: deleted). https://github.com/google/leveldb/tree/main/doc has all of it.
Checksums are not verified; structure is.
"""

import heapq
import os
import re
from collections.abc import Iterator
from pathlib import Path

from caffe.errors import DataError
from caffe.formats.mapped import map_file

RECORD_BLOCK = 32768
FOOTER = 48
MAGIC = 0xDB4775248B80FB57
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
MOST_KEY_BYTES = 1 << 16
MOST_EXPANSION = 22
"""What Snappy makes of a byte at most: three bytes may stand for 64."""
LOG_NUMBER, _PREVIOUS_LOG, _DELETED_TABLE, NEW_TABLE = 2, 9, 6, 7
_SKIPPED_EDITS = {1: "bytes", 3: "number", 4: "number", 5: "number bytes"}

TableEntry = tuple[bytes, int, bool, bytes]
"""User key, minus the sequence number (so that the newest comes first), whether it is there, value."""


def entries(folder: str) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) pairs of a database, sorted by key. Raises DataError for a damaged one."""
    try:
        yield from _newest(heapq.merge(*_sources(Path(folder)), key=lambda entry: entry[:2]))
    except (OSError, IndexError, ValueError) as error:
        raise DataError(
            f"LevelDB '{folder}' cannot be read: {error}. Copy it again, or make it again with convert_imageset."
        ) from error


def _newest(merged: Iterator[TableEntry]) -> Iterator[tuple[bytes, bytes]]:
    last = None
    for key, _, present, value in merged:
        if key != last and present:
            yield key, value
        last = key


def _sources(folder: Path) -> list[Iterator[TableEntry]]:
    """Sorted entries: of a log file, of a table of level 0, of all tables of a higher level (they do not overlap)."""
    name = (folder / "CURRENT").read_bytes()[:100].decode("ascii", "replace").strip()
    if not re.fullmatch(r"MANIFEST-\d+", name):
        raise ValueError(f"CURRENT names {name!r}, expected a manifest such as MANIFEST-000001")
    manifest = folder / name
    state = _State()
    for record in _records(map_file(manifest)):
        state.apply(memoryview(record))
    levels: dict[int, list[int]] = {}
    for number, (level, _) in sorted(state.tables.items(), key=lambda table: table[1]):
        levels.setdefault(level, []).append(number)
    sources = [_table(folder, number) for number in levels.pop(0, [])]
    sources += [_tables(folder, numbers) for numbers in levels.values()]
    for path in sorted(folder.glob("*.log")):
        if re.fullmatch(r"\d+", path.stem) and state.counts(int(path.stem)):
            sources.append(iter(sorted(_log(path), key=lambda entry: entry[:2])))
    return sources


class _State:
    """What the edits of a manifest add up to."""

    def __init__(self) -> None:
        self.tables: dict[int, tuple[int, bytes]] = {}
        """By number: the level, and the smallest key."""
        self._logs = {LOG_NUMBER: 0, _PREVIOUS_LOG: 0}

    def counts(self, log: int) -> bool:
        """Whether a log file holds entries that are in no table."""
        return log >= self._logs[LOG_NUMBER] or log == self._logs[_PREVIOUS_LOG]

    def apply(self, edit: memoryview) -> None:
        place = 0
        while place < len(edit):
            tag, place = _varint(edit, place)
            if tag in self._logs:
                self._logs[tag], place = _varint(edit, place)
            elif tag == _DELETED_TABLE:
                _, place = _varint(edit, place)
                number, place = _varint(edit, place)
                self.tables.pop(number, None)
            elif tag == NEW_TABLE:
                level, place = _varint(edit, place)
                number, place = _varint(edit, place)
                _, place = _varint(edit, place)
                smallest, place = _length_prefixed(edit, place)
                _, place = _length_prefixed(edit, place)
                self.tables[number] = (level, smallest[:-8])
            elif tag in _SKIPPED_EDITS:
                for kind in _SKIPPED_EDITS[tag].split():
                    place = (_varint if kind == "number" else _length_prefixed)(edit, place)[1]
            else:
                raise ValueError(f"unknown tag {tag} in its manifest")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError(f"a number of more than 10 bytes at {place - 10}")


def _length_prefixed(data: memoryview, place: int) -> tuple[bytes, int]:
    length, place = _varint(data, place)
    return _exactly(data, place, length), place + length


def _exactly(data: memoryview, place: int, length: int) -> bytes:
    if place + length > len(data):
        raise ValueError(f"{length} bytes expected at {place}, there are {len(data) - place}")
    return bytes(data[place : place + length])


def _records(data: memoryview) -> Iterator[bytes]:
    """The records of a log file or manifest. A record that was being written when the writer stopped is left out."""
    place = 0
    parts: list[bytes] = []
    while place + 7 <= len(data):
        if RECORD_BLOCK - place % RECORD_BLOCK < 7:
            place += RECORD_BLOCK - place % RECORD_BLOCK
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        if place + 7 + length > len(data) or kind not in (WHOLE, FIRST, MIDDLE, LAST):
            return
        content = bytes(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (WHOLE, FIRST):
            parts = []
        parts.append(content)
        if kind in (WHOLE, LAST):
            yield b"".join(parts)


def _log(path: Path) -> Iterator[TableEntry]:
    """Write batches: sequence number (8 bytes), count (4), then each entry: its kind (1), key, and value if there."""
    for record in _records(map_file(path)):
        data = memoryview(record)
        sequence, place = int.from_bytes(data[:8], "little"), 12
        for _ in range(int.from_bytes(data[8:12], "little")):
            present = data[place] == 1
            key, place = _length_prefixed(data, place + 1)
            value = b""
            if present:
                value, place = _length_prefixed(data, place)
            yield key, -sequence, present, value
            sequence += 1


def _tables(folder: Path, numbers: list[int]) -> Iterator[TableEntry]:
    for number in numbers:
        yield from _table(folder, number)


def _table(folder: Path, number: int) -> Iterator[TableEntry]:
    path = next((p for p in (folder / f"{number:06d}.ldb", folder / f"{number:06d}.sst") if os.path.exists(p)), None)
    if path is None:
        raise ValueError(f"the table {number:06d}.ldb is missing")
    data = map_file(path)
    if len(data) < FOOTER or int.from_bytes(data[-8:], "little") != MAGIC:
        raise ValueError(f"{path.name} does not end as a table does")
    footer = data[-FOOTER:]
    _, place = _varint(footer, 0)
    _, place = _varint(footer, place)
    for _, handle in _block(data, *_handle(footer, place)):
        for key, value in _block(data, *_handle(memoryview(handle), 0)):
            trailer = int.from_bytes(key[-8:], "little")
            yield key[:-8], -(trailer >> 8), trailer & 0xFF == 1, value


def _handle(data: memoryview, place: int) -> tuple[int, int]:
    start, place = _varint(data, place)
    return start, _varint(data, place)[0]


def _block(data: memoryview, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    content = memoryview(_exactly(data, start, size + 1))
    compressed = content[size]
    content = memoryview(_uncompressed(content[:size])) if compressed == 1 else content[:size]
    if compressed > 1:
        raise ValueError(f"a block is compressed in a way (number {compressed}) that is not Snappy")
    end = len(content) - 4 * (int.from_bytes(content[-4:], "little") + 1)
    if end < 0:
        raise ValueError(f"a block of {len(content)} bytes is shorter than it says")
    place, key = 0, b""
    while place < end:
        shared, place = _varint(content, place)
        unshared, place = _varint(content, place)
        length, place = _varint(content, place)
        key = key[:shared] + _exactly(content, place, unshared)
        if len(key) > MOST_KEY_BYTES:
            raise ValueError(f"a key of {len(key):,} bytes, expected at most {MOST_KEY_BYTES:,}")
        place += unshared
        yield key, _exactly(content, place, length)
        place += length


def _uncompressed(block: memoryview) -> bytes:
    try:
        import cramjam
    except ImportError as error:
        raise DataError(
            "a LevelDB compressed by Snappy needs the package cramjam: pip install 'fcn-caffe[leveldb]'"
        ) from error
    length, _ = _varint(block, 0)
    if length > MOST_EXPANSION * len(block):
        raise ValueError(f"a block of {len(block):,} bytes is said to unpack to {length:,}, more than Snappy can pack")
    try:
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise ValueError(f"a block cannot be decompressed: {error}") from error
