"""Recognises pictures that tools of this project wrote: PNGs and TIFFs with a mark in their metadata.

A search for photos in a folder ignores them, so that results may lie beside the photos.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

KEY, SOFTWARE = "Software", "fcn-caffe"
"""The mark in the pictures' metadata."""
ENDING = ".png"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MARK = f"{KEY}\0{SOFTWARE}".encode("latin-1")
_PALETTE = 3
TIFF_ENDINGS = (".tif", ".tiff")
_SOFTWARE_TAG, _MOST_TAGS = 305, 1000
_MOST_CHUNKS = 20
"""The mark stands among the first chunks, before the pixels."""


def is_own(path: str) -> bool:
    """Whether a tool of this project wrote this file; False for what cannot be read."""
    return _colour_type(path) is not None or _software_of_tiff(path) == SOFTWARE


def is_own_but_no_labels(path: str) -> bool:
    """The same for an overlay, a legend or a comparison, but not for a label map, which is a palette image."""
    return _colour_type(path) not in (None, _PALETTE)


def _colour_type(path: str) -> int | None:
    """Of a PNG with the mark, as its head says; None for any other file. Reads its head alone."""
    if not path.lower().endswith(ENDING):
        return None
    try:
        with open(path, "rb") as file:
            if file.read(len(_SIGNATURE)) != _SIGNATURE:
                return None
            colour_type = None
            for _ in range(_MOST_CHUNKS):
                length, kind = struct.unpack(">I4s", file.read(8))
                if kind == b"IHDR":
                    colour_type = file.read(13)[9]
                    file.seek(length - 13 + 4, 1)
                elif kind == b"tEXt" and length == len(_MARK):
                    if file.read(length) == _MARK:
                        return colour_type
                    file.seek(4, 1)
                elif kind == b"IDAT":
                    return None
                else:
                    file.seek(length + 4, 1)
    except (OSError, ValueError, IndexError, struct.error):
        pass
    return None


def _software_of_tiff(path: str) -> str:
    """What the tag Software of a TIFF says; "" where there is none, and for any other file. Reads little of it."""
    if not path.lower().endswith(TIFF_ENDINGS):
        return ""
    try:
        with open(path, "rb") as file:
            order = {b"II": "<", b"MM": ">"}[file.read(2)]
            big = {42: False, 43: True}[struct.unpack(f"{order}H", file.read(2))[0]]
            offset, count, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
            if big:
                file.seek(8)
            file.seek(_unpacked(file, order + offset)[0])
            (entries,) = _unpacked(file, order + count)
            for _ in range(min(entries, _MOST_TAGS)):
                tag, _, length, where = _unpacked(file, order + entry)
                if tag == _SOFTWARE_TAG:
                    file.seek(where)  # a text that is longer than its entry stands elsewhere
                    return file.read(min(length, 64)).rstrip(b"\0").decode("ascii", "replace")
    except (OSError, ValueError, KeyError, OverflowError, struct.error):
        pass
    return ""


def _unpacked(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
