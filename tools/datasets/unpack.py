"""Archives from elsewhere, unpacked so that nothing lands outside of the folder that was meant.

A member whose name would leave the folder, or is none that a file can have, condemns the whole archive. Links and
devices are left out. What comes out is counted, whatever the archive says of itself. No permissions are taken over.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from tools.datasets.megabytes import megabytes

CHUNK = 1 << 20
MOST_BYTES = 16 << 30
MOST_FILES = 200_000

_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile),
    *(zlib.error, lzma.LZMAError, EOFError, NotImplementedError),
)


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> list[str]:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip archive into a folder; the names of the links that were left out.

    Raises ValueError for an archive that is none, is damaged, tries to write elsewhere, or holds more than `most_bytes`
    bytes or `most_files` files. What has come out until then stays.
    """
    try:
        if zipfile.is_zipfile(archive):
            return _unpack_zip(archive, _Folder(folder, archive, most_bytes, most_files))
        return _unpack_tar(archive, _Folder(folder, archive, most_bytes, most_files))
    except _DAMAGED as error:
        raise ValueError(
            f"'{archive}' is not a whole tar or zip archive ({error}). Delete it and fetch it again."
        ) from error
    except RuntimeError as error:  # zipfile's word for a password
        raise ValueError(f"'{archive}' cannot be unpacked: {error}.") from error


class _Folder:
    """Where members are written, and how much there may be."""

    def __init__(self, folder: Path, archive: Path, most_bytes: int, most_files: int):
        self.folder, self.archive = folder, archive
        self.bytes_left, self.files_left = most_bytes, most_files
        self.most = f"{most_bytes} bytes in {most_files} files"

    def path(self, name: str) -> Path:
        """Where a member belongs. Raises ValueError for a name that leads elsewhere."""
        parts = PurePosixPath(name).parts
        bad = name.startswith("/") or ".." in parts or any(c in name for c in "\\:") or not name.isprintable()
        if bad:
            raise ValueError(
                f"'{self.archive}' has a member {name!r}, expected names of files below one folder. Nothing of it is "
                "used: do not trust where it came from."
            )
        return self.folder.joinpath(*parts)

    def write(self, name: str, content: IO[bytes]) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._count(0, 1)
        with open(path, "wb") as file:
            for block in iter(lambda: content.read(CHUNK), b""):
                self._count(len(block), 0)
                file.write(block)

    def _count(self, new_bytes: int, new_files: int) -> None:
        self.bytes_left -= new_bytes
        self.files_left -= new_files
        if min(self.bytes_left, self.files_left) < 0:
            raise ValueError(f"'{self.archive}' holds more than {self.most}, expected less. Is it the right archive?")


def _unpack_tar(archive: Path, to: _Folder) -> list[str]:
    left_out = []
    with (
        open(archive, "rb") as file,
        megabytes(archive.name, archive.stat().st_size) as reach,
        tarfile.open(fileobj=file) as tar,
    ):
        for member in tar:
            path = to.path(member.name)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                content = tar.extractfile(member)
                to.write(member.name, content)  # type: ignore[arg-type]  # a regular file has content
            else:
                left_out.append(member.name)
            reach(file.tell())
    return left_out


def _unpack_zip(archive: Path, to: _Folder) -> list[str]:
    left_out = []
    with zipfile.ZipFile(archive) as pack, megabytes(archive.name, archive.stat().st_size) as reach:
        for member in pack.infolist():
            path = to.path(member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir():
                path.mkdir(parents=True, exist_ok=True)
            elif kind in (0, stat.S_IFREG):
                with pack.open(member) as content:
                    to.write(member.filename, content)
            else:
                left_out.append(member.filename)
            reach(member.header_offset + member.compress_size)
    return left_out
