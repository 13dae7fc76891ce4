"""Writing a file whole or not at all.

The new content goes to a temporary file in the same directory, is flushed to the disk, and takes the place of the old
file by one rename. A reader sees the old file or the new one; a failure leaves the old file as it was and nothing else.

A process that is killed leaves its temporary file, `<file>.<pid>-<host><random>.tmp`. Whoever writes the same file next
removes it, once no such process is running any more.
"""

import errno
import os
import platform
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from caffe.errors import FormatError
from caffe.formats.mapped import PathLike

_TEMPORARY = re.compile(r"(?P<target>.+)\.(?P<pid>\d+)-(?P<host>[0-9a-f]{4})[0-9a-f]{4}\.tmp", re.DOTALL)
_in_progress: set[str] = set()
"""The temporary files that this process is writing."""


@contextmanager
def open_atomic(path: PathLike) -> Iterator[BinaryIO]:
    """A binary file to write; when the block ends without an error, it becomes `path`.

    Makes missing parent directories. Raises FormatError when the disk is full or the place cannot be written.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        yield file


@contextmanager
def replacing(path: PathLike) -> Iterator[str]:
    """The name of a temporary file to write; when the block ends without an error, it becomes `path`.

    For writers that want a name instead of a file object. A device such as /dev/stdout is written directly.
    """
    try:
        target = os.path.realpath(os.fsdecode(path))
    except ValueError as error:
        raise FormatError(f"{os.fspath(path)!r}: not written ({error}). Correct the path.") from error
    directly = os.path.exists(target) and not os.path.isfile(target)
    temporary = target if directly else f"{target}.{os.getpid()}-{_host()}{secrets.token_hex(2)}.tmp"
    _in_progress.add(temporary)
    try:
        if not directly:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            remove_leftovers(os.path.dirname(target), re.escape(os.path.basename(target)))
        yield temporary
        if not directly:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
            _flush_directory(os.path.dirname(target))
    except OSError as error:
        raise FormatError(_explain(os.fspath(path), error)) from error
    finally:
        _in_progress.discard(temporary)
        if not directly:
            with suppress(OSError):
                os.unlink(temporary)


def remove_leftovers(folder: str, targets: str, *, alone: bool = False) -> list[str]:
    """Remove the temporary files of processes that are no more, and return their paths.

    targets: a regular expression for the names of the files that they were to become. alone: nobody else may
    write them now, so that all go; otherwise those of this machine whose process has ended.
    """
    removed = []
    wanted = re.compile(targets)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _TEMPORARY.fullmatch(entry.name)
            if found is None or not wanted.fullmatch(found["target"]) or os.path.realpath(entry.path) in _in_progress:
                continue
            with suppress(OSError):
                if alone or (found["host"] == _host() and not _may_run(int(found["pid"]))):
                    os.unlink(entry.path)
                    removed.append(entry.path)
    return removed


def _host() -> str:
    """Four hexadecimal digits for this machine."""
    return f"{zlib.crc32(platform.node().encode()) & 0xFFFF:04x}"


def _may_run(pid: int) -> bool:
    """Whether another process with this number may be running; on some systems it cannot be asked without harm."""
    if pid == os.getpid() or os.name != "posix":
        return pid != os.getpid()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _flush_directory(path: str) -> None:
    """Make a rename last through a power cut, where the file system can."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _explain(path: str, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(os.path.dirname(os.path.realpath(path))).free
        return (
            f"{path}: not written, no space left on the device ({free:,} bytes free). "
            "The file that was there before is untouched: free some space, or write elsewhere."
        )
    return f"{path}: not written ({error.strerror or error}). Choose a path that can be written."
