"""Writing a file whole or not at all.

The new content goes to a temporary file in the same directory, is flushed to the disk, and takes the place of the old
file by one rename. A reader sees the old file or the new one; a failure leaves the old file as it was and nothing else.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from caffe.errors import FormatError
from caffe.formats.mapped import PathLike


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
    target = os.path.realpath(path)
    directly = os.path.exists(target) and not os.path.isfile(target)
    temporary = target if directly else f"{target}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        yield temporary
        if not directly:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
            _flush_directory(os.path.dirname(target))
    except OSError as error:
        raise FormatError(_explain(os.fspath(path), error)) from error
    finally:
        if not directly:
            with suppress(OSError):
                os.unlink(temporary)


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
