"""A new LevelDB, by the package plyvel, which has Google's own library in it.

It is written beside its place, and takes it once all is written: a process that is killed leaves no database that looks
whole.
"""

import os
import shutil
import tempfile
from contextlib import AbstractContextManager
from types import ModuleType, TracebackType

from caffe.errors import DataError
from caffe.formats.mapped import PathLike

_BUFFER_SIZE = 1 << 25
"""Bytes of new entries that LevelDB gathers before it writes them as a table."""
_BLOCK_SIZE = 1 << 16
"""Bytes of entries in a block of a table, as in BVLC Caffe (src/caffe/util/db_leveldb.cpp)."""
_BATCH_SIZE = 1 << 22
"""Bytes of entries that are handed over together."""


class LevelDbWriter(AbstractContextManager["LevelDbWriter"]):
    """A new LevelDB; `put` entries inside a `with`. It is there when the block ends without an error."""

    def __init__(self, path: PathLike):
        """Raises DataError without the package plyvel, or when something is there already."""
        plyvel = _plyvel()
        self.path = os.fspath(path)
        try:
            if os.path.lexists(self.path):
                raise FileExistsError(None, "File exists")
            folder, name = os.path.split(os.path.abspath(self.path))
            self._part = tempfile.mkdtemp(prefix=f".{name}.", dir=folder)
        except OSError as error:
            raise DataError(
                f"Failed to open leveldb {self.path}: {error.strerror}. Remove it, or choose another name."
            ) from error
        self._errors = (plyvel.Error, OSError)
        try:
            self._database = plyvel.DB(
                self._part,
                create_if_missing=True,
                write_buffer_size=_BUFFER_SIZE,
                block_size=_BLOCK_SIZE,
                compression=None,  # images are compressed, and whoever reads it needs no Snappy
            )
        except self._errors as error:
            raise self._failed(error) from error
        self._batch, self._pending = self._database.write_batch(), 0

    def put(self, key: bytes, value: bytes) -> None:
        self._batch.put(key, value)
        self._pending += len(key) + len(value)
        if self._pending >= _BATCH_SIZE:
            self.commit()

    def commit(self) -> None:
        """Hand over what is pending."""
        try:
            self._batch.write()
        except self._errors as error:
            raise self._failed(error) from error
        self._batch, self._pending = self._database.write_batch(), 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.commit()
        self._database.close()
        if error is not None:
            shutil.rmtree(self._part, ignore_errors=True)
            return
        try:
            os.chmod(self._part, 0o755)
            os.rename(self._part, self.path)
        except OSError as failure:
            raise self._failed(failure) from failure

    def _failed(self, error: Exception) -> DataError:
        shutil.rmtree(self._part, ignore_errors=True)
        return DataError(f"LevelDB '{self.path}' cannot be written: {error}. Make room, or choose another name.")


def _plyvel() -> ModuleType:
    try:
        import plyvel
    except ImportError as error:
        raise DataError(
            "writing a LevelDB needs the package plyvel: pip install 'fcn-caffe[leveldb]'. Without it, write an LMDB "
            "(-backend lmdb)."
        ) from error
    return plyvel
