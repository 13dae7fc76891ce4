"""One training at a time on a snapshot prefix: a lock file beside the snapshots, `<prefix>.lock`.

The system frees the lock when the process that holds it ends, however it ends: a file that is left over hinders nobody.
Solvers of one process may take turns on a prefix, as published notebooks do; they may not train at the same time.
"""

import errno
import json
import os
import platform
import re
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from caffe.errors import FormatError, UsageError
from caffe.formats.atomic import remove_leftovers
from caffe.log import log

try:
    import fcntl
except ImportError:  # not on every system
    fcntl = None  # type: ignore[assignment]

_IMPOSSIBLE = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
"""What file systems say that know no locks."""


class _Lock:
    """What this process holds of one prefix."""

    def __init__(self, path: str):
        self.path = path
        self.file = _open_locked(path)
        self.holders: set[int] = set()
        self.training: int | None = None
        """The solver that is training now; solvers go by their id()."""

    def drop(self, holder: int) -> None:
        """A solver needs it no longer; the last one gives it back."""
        self.holders.discard(holder)
        if not self.holders and _held.get(self.path) is self:
            del _held[self.path]
            if self.file is not None:
                with suppress(OSError):  # while it is locked, so that nobody has just taken it
                    os.unlink(self.path)
                self.file.close()


_held: dict[str, _Lock] = {}
"""By path."""


def _forget() -> None:
    """In a forked process: the locks are its parent's."""
    for lock in _held.values():
        if lock.file is not None:
            lock.file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def hold(solver: object, prefix: str) -> _Lock:
    """Take the lock of a snapshot prefix for as long as the solver lives, if it is not held yet.

    Raises UsageError if another process has it, FormatError where the lock file cannot be written.
    """
    lock = _of(prefix)
    if id(solver) not in lock.holders:
        lock.holders.add(id(solver))
        weakref.finalize(solver, lock.drop, id(solver))
    return lock


@contextmanager
def held(solver: object, prefix: str) -> Iterator[_Lock]:
    """Hold the lock for the length of a block. Raises as `hold`."""
    lock = _of(prefix)
    before = id(solver) in lock.holders
    lock.holders.add(id(solver))
    try:
        yield lock
    finally:
        if not before:
            lock.drop(id(solver))


@contextmanager
def training(lock: _Lock, solver: object) -> Iterator[None]:
    """The solver trains in this block. Raises UsageError if another solver of this process trains on the prefix."""
    before = lock.training
    if before not in (None, id(solver)):
        raise UsageError(_refusal(lock.path, "another solver of this process"))
    lock.training = id(solver)
    try:
        yield
    finally:
        lock.training = before


def _of(prefix: str) -> _Lock:
    path = os.path.realpath(f"{prefix}.lock")
    if path not in _held:
        _held[path] = lock = _Lock(path)
        stem = re.escape(os.path.basename(prefix))
        for removed in remove_leftovers(
            os.path.dirname(path), rf"{stem}_iter_\d+\.\w+(\.\w+)?", alone=lock.file is not None
        ):
            log.info("Removed %s, which a training left that was interrupted", removed)
    return _held[path]


def _open_locked(path: str) -> IO[str] | None:
    """The lock file, locked; None where there are no locks."""
    while True:
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (open as long as it is locked)
        except OSError as error:
            raise FormatError(
                f"solver: '{path}' cannot be written ({error.strerror}): Cannot write to snapshot prefix "
                f"'{path.removesuffix('.lock')}'. Set snapshot_prefix to a place that can be written."
            ) from error
        try:
            if fcntl is None:
                raise OSError(errno.ENOSYS, "this system has no flock")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _IMPOSSIBLE:
                log.warning("%s: no lock (%s): see to it that no other training has this prefix", path, error.strerror)
                file.close()
                with suppress(FileNotFoundError):  # the processes of one training all come here
                    os.unlink(path)
                return None
            file.seek(0)
            holder = _holder(file.read())
            file.close()
            raise UsageError(_refusal(path, holder)) from None
        if _is_still(path, file):
            file.truncate(0)
            json.dump(_me(), file)
            file.flush()
            return file
        file.close()


def _is_still(path: str, file: IO[str]) -> bool:
    """Whether the path still names the file; whoever had the lock before may have removed it since it was opened."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False


def _me() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": " ".join(sys.argv)[:200],
    }


def _holder(content: str) -> str:
    try:
        found = json.loads(content)
        return "process {pid} on {host} ({command}), since {since}".format(**found)
    except (ValueError, KeyError, TypeError):
        return "another process"


def _refusal(path: str, holder: str) -> str:
    return (
        f"solver: {holder} is training on the same snapshot_prefix, '{path.removesuffix('.lock')}': the two would "
        "overwrite each other's snapshots. Wait for it or end it, or set another snapshot_prefix for this training."
    )
