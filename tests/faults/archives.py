"""Damage to archives: members with other names, kinds and sizes than anybody expects."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import random
import tarfile
import warnings
import zipfile

NAMES = (
    *(
        "../out",
        "/tmp/out",
        "a/../../out",
        "a\\..\\out",
        "C:out",
        "",
        ".",
        "..",
        "./a",
        "a//b",
        "a/",
        "link",
        "link/x",
        "linked.txt",
    ),
    *("a\0b", "a\nb", "é", "\udce9", "x" * 300, "d/" * 300 + "x", "con", "~", "*", "a", "a/b", "b", " "),
)
_KINDS = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, b"Z")
_COMPRESSIONS = (bytes, functools.partial(gzip.compress, mtime=0), bz2.compress, lzma.compress)
_FORMATS = (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT)

Member = tuple[str, bytes]


def tar(members: list[Member], draw: random.Random, strangeness: float) -> bytes:
    """A tar archive; some of its members, as often as `strangeness` says, are strange."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=draw.choice(_FORMATS)) as archive:
        for name, content in _strange(members, draw, strangeness):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = draw.choice((0o644, 0o7777, 0))
            if draw.random() < strangeness:
                info.type, info.linkname = draw.choice(_KINDS), draw.choice(NAMES)
                info.size = 0
            if draw.random() < strangeness / 3:
                info.pax_headers = {draw.choice(("size", "path", "linkpath", "GNU.sparse.map")): draw.choice(_PAX)}
            try:
                archive.addfile(info, io.BytesIO(content))
            except (ValueError, UnicodeError):
                continue
    return draw.choice(_COMPRESSIONS)(buffer.getvalue())


_PAX = ("-1", "99999999999", "x", "../out", "0,1,2", "", "1e9")


def zip_of(members: list[Member], draw: random.Random, strangeness: float) -> bytes:
    """A zip archive; some of its members, as often as `strangeness` says, are strange."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in _strange(members, draw, strangeness):
            info = zipfile.ZipInfo("x")
            info.filename = name.encode("utf-8", "replace").decode()
            info.compress_type = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            if draw.random() < strangeness:
                info.external_attr = draw.choice((0o120777, 0o040755, 0o010644, 0o060644)) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _strange(members: list[Member], draw: random.Random, strangeness: float) -> list[Member]:
    found = []
    for name, content in members:
        if draw.random() < strangeness:
            name = draw.choice(NAMES)
        if draw.random() < strangeness / 4:
            content = bytes(1 << 22)  # a bomb, for what an archive of this test may hold
        found.append((name, content))
    return found + found[: draw.choice((0, 0, 1))]
