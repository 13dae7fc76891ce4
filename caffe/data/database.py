"""Key → value databases that hold a data set: LMDB and LevelDB, read in the order of their keys, and written.

GetDB, Cursor and Transaction (src/caffe/util/db.cpp). The values are usually Datum messages.
"""

import os
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType

import lmdb

from caffe.data import leveldb
from caffe.data.leveldb_writer import LevelDbWriter
from caffe.errors import DataError

PathLike = str | os.PathLike[str]
BACKENDS = ("lmdb", "leveldb")

_COMMIT_EVERY = 1000
_WAITS = (0.001, 0.01, 0.1, 0.5)
"""Seconds."""
_open_environments: weakref.WeakValueDictionary[tuple[int, int], lmdb.Environment] = weakref.WeakValueDictionary()
"""By device and inode: LMDB refuses to open one file twice in one process."""


class Database:
    """A database to read. Iterating gives (key, value) in the order of the keys, from the start each time."""

    def __init__(self, path: PathLike, backend: str):
        """backend: "lmdb" or "leveldb". Raises DataError when there is no such database."""
        self.path, self.backend = os.fspath(path), backend
        _check_backend(backend)
        _check_kind(self.path, backend)
        self._environment = _lmdb_environment(self.path) if backend == "lmdb" else None

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        if self._environment is None:
            return leveldb.entries(self.path)
        return _lmdb_entries(self._environment, self.path)


def _check_backend(backend: str) -> None:
    if backend not in BACKENDS:
        raise DataError(f"Unknown database backend '{backend}'. Use one of {', '.join(BACKENDS)}.")


def _check_kind(path: str, backend: str) -> None:
    if not os.path.exists(path):
        raise DataError(
            f"database '{path}' does not exist (working directory {os.getcwd()}). Correct the path, or make it with "
            "`caffe convert_imageset`."
        )
    is_lmdb = os.path.isfile(path) or os.path.exists(os.path.join(path, "data.mdb"))
    found = "lmdb" if is_lmdb else "leveldb" if os.path.exists(os.path.join(path, "CURRENT")) else ""
    if not found:
        raise DataError(f"'{path}' holds no database: neither data.mdb (LMDB) nor CURRENT (LevelDB) is there.")
    if found != backend:
        raise DataError(
            f"database '{path}' is of the kind {found.upper()}, opened as {backend.upper()} (the default is "
            f"LEVELDB). Write `backend: {found.upper()}`."
        )


def _lmdb_environment(path: str) -> lmdb.Environment:
    in_folder = os.path.isdir(path)
    status = os.stat(os.path.join(path, "data.mdb") if in_folder else path)
    file = (status.st_dev, status.st_ino)
    environment = _open_environments.get(file)
    if environment is None:
        try:
            environment = _opened(path, in_folder)
        except lmdb.Error as error:
            raise _damaged(path, error) from error
        _open_environments[file] = environment
    return environment


def _opened(path: str, in_folder: bool) -> lmdb.Environment:
    """LMDB may take an environment for open that another thread, whose iterator was the last to hold it, is closing."""
    attempt = partial(lmdb.open, path, readonly=True, lock=False, subdir=in_folder)
    for wait in _WAITS:
        try:
            return attempt()
        except lmdb.Error as error:
            if "already open" not in str(error):
                raise
            time.sleep(wait)
    return attempt()


def _lmdb_entries(environment: lmdb.Environment, path: str) -> Iterator[tuple[bytes, bytes]]:
    try:
        with environment.begin() as transaction:
            yield from transaction.cursor()
    except lmdb.Error as error:
        raise _damaged(path, error) from error


def _damaged(path: str, error: lmdb.Error) -> DataError:
    return DataError(f"LMDB '{path}' cannot be read: {error}. Make it again with `caffe convert_imageset`.")


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
            raise DataError(f"LMDB '{self.path}' cannot be written: {error}") from error
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
