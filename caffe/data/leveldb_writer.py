"""A new LevelDB, written once: sorted tables, and the manifest that lists them (leveldb.py tells their form).

Entries are gathered, sorted and written as a table of some megabytes. As long as the keys go up, tables do not overlap
and belong to the last level, where whoever opens the database finds nothing to tidy up.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from caffe.data.crc32c import masked
from caffe.data.leveldb import FIRST, FOOTER, LAST, LOG_NUMBER, MAGIC, MIDDLE, NEW_TABLE, RECORD_BLOCK, WHOLE
from caffe.errors import DataError
from caffe.formats.atomic import open_atomic
from caffe.formats.mapped import PathLike

_TABLE_SIZE = 1 << 25
_BLOCK_SIZE = 1 << 16
_RESTART_EVERY = 16
_COMPARATOR, _NEXT_FILE, _LAST_SEQUENCE = 1, 3, 4
_MANIFEST, _FIRST_TABLE = 1, 2
_LAST_LEVEL = 6
_PRESENT = 1


class LevelDbWriter(AbstractContextManager["LevelDbWriter"]):
    """A new LevelDB; `put` entries inside a `with`. It is there when the block ends without an error."""

    def __init__(self, path: PathLike):
        """Raises DataError when something is there already."""
        self.path = os.fspath(path)
        try:
            os.mkdir(self.path)
        except OSError as error:
            raise DataError(
                f"Failed to open leveldb {self.path}: {error.strerror}. Remove it, or choose another name."
            ) from error
        self._pending: dict[bytes, bytes] = {}
        self._size = 0
        self._tables: list[bytes] = []
        self._sequence = 0
        self._largest: bytes | None = None
        self._level = _LAST_LEVEL

    def put(self, key: bytes, value: bytes) -> None:
        self._pending[key] = value
        self._size += len(key) + len(value)
        if self._size >= _TABLE_SIZE:
            self.commit()

    def commit(self) -> None:
        """Write what is pending, as a table."""
        if not self._pending:
            return
        keys = sorted(self._pending)
        if self._largest is not None and keys[0] <= self._largest:
            self._level = 0  # tables may overlap there, and the newest counts
        self._largest = max(keys[-1], self._largest or b"")
        entries = [(self._internal(key, order), self._pending[key]) for order, key in enumerate(keys, 1)]
        self._sequence += len(entries)
        number = _FIRST_TABLE + len(self._tables)
        with self._naming_errors(), open(Path(self.path, f"{number:06d}.ldb"), "wb") as file:
            size = _write_table(file, entries)
        edit = b"".join(map(_varint, (NEW_TABLE, self._level, number, size)))
        self._tables.append(edit + _prefixed(entries[0][0]) + _prefixed(entries[-1][0]))
        self._pending, self._size = {}, 0

    def _internal(self, key: bytes, order: int) -> bytes:
        return key + (self._sequence + order << 8 | _PRESENT).to_bytes(8, "little")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            return
        self.commit()
        edit = _varint(_COMPARATOR) + _prefixed(b"leveldb.BytewiseComparator")
        next_file = _FIRST_TABLE + len(self._tables)
        for tag, number in ((LOG_NUMBER, 0), (_NEXT_FILE, next_file), (_LAST_SEQUENCE, self._sequence)):
            edit += _varint(tag) + _varint(number)
        manifest = f"MANIFEST-{_MANIFEST:06d}"
        with self._naming_errors():
            Path(self.path, manifest).write_bytes(b"".join(_records(edit + b"".join(self._tables))))
            with open_atomic(Path(self.path, "CURRENT")) as file:
                file.write(f"{manifest}\n".encode())

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(f"LevelDB '{self.path}' cannot be written: {error}") from error


def _write_table(file: BinaryIO, entries: list[tuple[bytes, bytes]]) -> int:
    """Writes sorted entries, blocks of them, their index and the footer; returns the number of bytes."""
    index, block, last = _Block(restart_every=1), _Block(), b""
    for key, value in entries:
        if block.size() >= _BLOCK_SIZE:
            index.add(last, _write_block(file, block))
            block = _Block()
        block.add(key, value)
        last = key
    index.add(last, _write_block(file, block))
    footer = _write_block(file, _Block()) + _write_block(file, index)
    file.write(footer.ljust(FOOTER - 8, b"\0") + MAGIC.to_bytes(8, "little"))
    return file.tell()


def _write_block(file: BinaryIO, block: "_Block") -> bytes:
    """Writes a block, not compressed; returns where it is."""
    start, content = file.tell(), block.content()
    file.write(content + b"\0" + masked(content + b"\0"))
    return _varint(start) + _varint(len(content))


class _Block:
    """Entries of which each says how much of its key is that of the one before; at a restart point, nothing."""

    def __init__(self, restart_every: int = _RESTART_EVERY):
        self._entries = bytearray()
        self._restarts = [0]
        self._restart_every = restart_every
        self._count = 0
        self._last = b""

    def size(self) -> int:
        return len(self._entries)

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._count % self._restart_every:
            shared = len(os.path.commonprefix([self._last, key]))
        elif self._count:
            self._restarts.append(len(self._entries))
        self._entries += b"".join(map(_varint, (shared, len(key) - shared, len(value)))) + key[shared:] + value
        self._last = key
        self._count += 1

    def content(self) -> bytes:
        ends = [*self._restarts, len(self._restarts)]
        return bytes(self._entries) + b"".join(number.to_bytes(4, "little") for number in ends)


def _records(content: bytes) -> Iterator[bytes]:
    """A record of a manifest, in as many parts as the blocks of the file ask for."""
    room = RECORD_BLOCK - 7
    for start in range(0, len(content), room):
        part, ends = content[start : start + room], start + room >= len(content)
        kind = (WHOLE if ends else FIRST) if start == 0 else (LAST if ends else MIDDLE)
        yield masked(bytes([kind]) + part) + len(part).to_bytes(2, "little") + bytes([kind]) + part


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _prefixed(content: bytes) -> bytes:
    return _varint(len(content)) + content
