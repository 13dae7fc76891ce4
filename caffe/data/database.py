"""Key → value databases that hold a data set: LMDB and LevelDB, read in the order of their keys, and written.

GetDB, Cursor and Transaction (src/caffe/util/db.cpp). The values are usually Datum messages.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

import lmdb

from caffe.data import leveldb, lmdb_reader
from caffe.data.leveldb_writer import LevelDbWriter
from caffe.errors import DataError
from caffe.formats.mapped import PathLike

BACKENDS = ("lmdb", "leveldb")

_COMMIT_EVERY = 1000


class Database:
    """A database to read. Iterating gives (key, value) in the order of the keys, from the start each time."""

    def __init__(self, path: PathLike, backend: str):
        """backend: "lmdb" or "leveldb". Raises DataError when there is no such database."""
        self.path, self.backend = os.fspath(path), backend
        _check_backend(backend)
        _check_kind(self.path, backend)
        self._lmdb = lmdb_reader.opened(self.path) if backend == "lmdb" else None

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        if self._lmdb is None:
            return leveldb.entries(self.path)
        return lmdb_reader.entries(self._lmdb, self.path)


def _check_backend(backend: str) -> None:
    if backend not in BACKENDS:
        raise DataError(f"Unknown database backend '{backend}'. Use one of {', '.join(BACKENDS)}.")


def _check_kind(path: str, backend: str) -> None:
    if "\0" in path or not os.path.exists(path):
        raise DataError(
            f"database {path!r} does not exist (working directory {os.getcwd()}). Correct the path, or make it with "
            "`caffe convert_imageset`."
        )
    is_lmdb = os.path.isfile(path) or os.path.exists(os.path.join(path, "data.mdb"))
    found = "lmdb" if is_lmdb else "leveldb" if os.path.exists(os.path.join(path, "CURRENT")) else ""
    if not found:
        raise DataError(
            f"'{path}' holds no database: neither data.mdb (LMDB) nor CURRENT (LevelDB) is there."
            " Correct the path, or make one with `caffe convert_imageset`."
        )
    if found != backend:
        raise DataError(
            f"database '{path}' is of the kind {found.upper()}, opened as {backend.upper()} (the default is "
            f"LEVELDB). Write `backend: {found.upper()}`."
        )


class LmdbWriter(AbstractContextManager["LmdbWriter"]):
    """A new LMDB; `put` entries inside a `with`. What was put is on the disk when the block ends without an error."""

    def __init__(self, path: PathLike):
        """Raises DataError when something is there already."""
        self.path = os.fspath(path)
        try:
            os.mkdir(self.path, 0o744)
        except OSError as error:
            raise DataError(
                f"mkdir {self.path} failed: {error.strerror}. Remove it, or choose another name."
            ) from error
        self._environment = lmdb.open(self.path)
        self._pending: list[tuple[bytes, bytes]] = []

    def put(self, key: bytes, value: bytes) -> None:
        self._pending.append((key, value))
        if len(self._pending) >= _COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        """Write what is pending; the map is doubled until it fits."""
        while not self._written(self._pending):
            self._environment.set_mapsize(2 * self._environment.info()["map_size"])
        self._pending = []

    def _written(self, entries: Sequence[tuple[bytes, bytes]]) -> bool:
        try:
            with self._environment.begin(write=True) as transaction:
                for key, value in entries:
                    transaction.put(key, value)
        except lmdb.MapFullError:
            return False
        except lmdb.Error as error:
            raise DataError(
                f"LMDB '{self.path}' cannot be written: {error}. Free space on the disk, or choose another folder."
            ) from error
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.commit()
        self._environment.close()


DatabaseWriter = LmdbWriter | LevelDbWriter


def new_database(path: PathLike, backend: str) -> DatabaseWriter:
    """A database to write: `put` entries inside a `with`. Raises DataError when something is there already."""
    _check_backend(backend)
    return LmdbWriter(path) if backend == "lmdb" else LevelDbWriter(path)
