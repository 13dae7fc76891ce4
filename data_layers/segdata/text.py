"""Text that users write: lists of images, lists of classes. Every file of this kind is read here."""

from __future__ import annotations

import codecs
import unicodedata

from fcn_caffe.data_layers.segdata import files

_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
REMEDY = "Save it as UTF-8 (in an editor: Save as, encoding UTF-8)."
MARK = "\ufeff"
"""The byte-order mark that some editors put at the beginning, and that stays between files that were put together."""
UNSEEN = "\u200b\u200e\u200f\u2060"
"""Characters without width that come along when text is copied from web pages and documents."""


def read(path: str) -> str:
    """The text of a file in UTF-8, without byte-order marks, lines ending in a line feed.

    Raises FileNotFoundError, and ValueError, with the path and the line, for a file that is no text in UTF-8.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise files.missing(path) from error
    except IsADirectoryError as error:
        raise ValueError(f"'{path}' is a folder, expected a text file. Name the file.") from error
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read ({error.strerror}). Make it readable.") from error
    for mark, encoding in _WIDE.items():
        if content.startswith(mark):
            raise ValueError(f"'{path}':1 is {encoding}, expected text in UTF-8. {REMEDY}")
    if b"\0" in content:
        line = _line(content, content.index(b"\0"))
        if content[1:2] == b"\0" or content[:1] == b"\0":
            raise ValueError(f"'{path}':{line} has zero bytes as UTF-16 has, expected text in UTF-8. {REMEDY}")
        raise ValueError(f"'{path}':{line} has zero bytes, expected text in UTF-8. Is it another kind of file?")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        word = content[error.start : error.start + 1].decode("latin-1")
        raise ValueError(
            f"'{path}':{_line(content, error.start)} is not UTF-8 (the byte 0x{content[error.start]:02x}, which is "
            f"{word!r} in Latin-1). {REMEDY}"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").replace(MARK, "")


def lines(path: str) -> list[tuple[int, str]]:
    """The lines that are not blank, without space and what cannot be seen around them, each with its number in the
    file."""
    stripped = (
        (number, line.strip().strip(UNSEEN).strip()) for number, line in enumerate(read(path).split("\n"), start=1)
    )
    return [(number, line) for number, line in stripped if line]


def composed(name: str) -> str:
    """A name with composed characters (NFC): some systems name files with e and an accent where lists have é."""
    return unicodedata.normalize("NFC", name)


def _line(content: bytes, offset: int) -> int:
    return content[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
