"""Unpacks downloaded archives without writing outside of the given folder.

A member whose name would leave the folder, or cannot be a file's name, causes the whole archive to be refused; so does
one that would be written through a link that lies in the folder. Links and devices are left out. What comes out is
counted, whatever the archive says of itself. No permissions are taken over.

tarfile's own `data` filter does less: it is for tar alone, follows links that lie in the folder already, and counts
nothing; and Python 3.9.2, which BVLC Caffe has in Debian 11, comes without it.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from fcn_caffe.progress import BYTES, progress

CHUNK = 1 << 20
MOST_BYTES = 16 << 30
MOST_FILES = 200_000

_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, OSError, ValueError, IndexError, KeyError, OverflowError),
)
"""What Python's readers raise on damaged archives. What cannot be written raises OSError, too, and is kept apart."""


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> list[str]:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip archive into a folder; the names of the links that were left out.

    Raises ValueError for an archive that is none, is damaged, tries to write elsewhere, or holds more than `most_bytes`
    bytes or `most_files` files, and OSError where nothing can be written. What has come out until then stays.
    """
    to = _Folder(folder, archive, most_bytes, most_files)
    try:
        return _unpack_zip(archive, to) if zipfile.is_zipfile(archive) else _unpack_tar(archive, to)
    except _Refused as error:
        raise ValueError(str(error)) from error
    except _DAMAGED as error:
        raise ValueError(
            f"'{archive}' is not a whole tar or zip archive ({error}). Delete it and fetch it again."
        ) from error
    except RuntimeError as error:  # zipfile's word for a password
        raise ValueError(f"'{archive}' cannot be unpacked: {error}. Get it again.") from error


class _Refused(Exception):
    """What is wrong with an archive that can be read, or with where it is to be written."""


class _Folder:
    """Where members are written, and how much there may be."""

    def __init__(self, folder: Path, archive: Path, most_bytes: int, most_files: int):
        self.folder, self.archive = folder, archive
        self.bytes_left, self.files_left = most_bytes, most_files
        self.most = f"{most_bytes} bytes in {most_files} files"

    def path(self, name: str) -> Path:
        """Where a member belongs. Raises _Refused for a name that leads elsewhere."""
        parts = PurePosixPath(name).parts
        bad = name.startswith("/") or ".." in parts or any(c in name for c in "\\:") or not name.isprintable()
        if bad:
            raise _Refused(
                f"'{self.archive}' has a member {name!r}, expected names of files below one folder. Nothing of it is "
                "used: do not trust where it came from."
            )
        path = self.folder
        for part in parts:
            path /= part
            with self._writing(path):
                is_link = path.is_symlink()
            if is_link:
                raise _Refused(
                    f"'{self.archive}' has a member {name!r}, and '{path}' is a link, expected folders and files "
                    "alone where it is unpacked. Remove the link, or unpack elsewhere."
                )
        return path

    def make(self, name: str) -> None:
        """Make a member that is a folder."""
        path = self.path(name)
        with self._writing(path):
            path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write a member that is a file; what is there already is replaced."""
        path = self.path(name)
        self._count(0, 1)
        with self._writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "wb")  # noqa: SIM115  (closed below; reading fails in other ways than writing)
        with file:
            for block in iter(lambda: content.read(CHUNK), b""):
                self._count(len(block), 0)
                with self._writing(path):
                    file.write(block)

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _Refused(
                f"'{path}', of '{self.archive}', cannot be written: {error.strerror or error}. Make room there, or "
                "unpack it elsewhere."
            ) from error

    def _count(self, new_bytes: int, new_files: int) -> None:
        self.bytes_left -= new_bytes
        self.files_left -= new_files
        if min(self.bytes_left, self.files_left) < 0:
            raise _Refused(f"'{self.archive}' holds more than {self.most}, expected less. Is it the right archive?")


def _unpack_tar(archive: Path, to: _Folder) -> list[str]:
    left_out, seen = [], 0
    with (
        open(archive, "rb") as file,
        progress(archive.name, BYTES, archive.stat().st_size) as advance,
        tarfile.open(fileobj=file) as tar,
    ):
        for member in tar:
            to.path(member.name)
            if member.isdir():
                to.make(member.name)
            elif member.isreg():
                content = tar.extractfile(member)
                to.write(member.name, content)  # type: ignore[arg-type]  # a regular file has content
            else:
                left_out.append(member.name)
            advance(by=file.tell() - seen)
            seen = file.tell()
    return left_out


def _unpack_zip(archive: Path, to: _Folder) -> list[str]:
    left_out = []
    with zipfile.ZipFile(archive) as pack, progress(archive.name, BYTES, archive.stat().st_size) as advance:
        for member in pack.infolist():
            to.path(member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir():
                to.make(member.filename)
            elif kind in (0, stat.S_IFREG):
                with pack.open(member) as content:
                    to.write(member.filename, content)
            else:
                left_out.append(member.filename)
            advance(by=member.compress_size)
    return left_out
