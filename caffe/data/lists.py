"""Text files that layers take lists from (ImageData, HDF5Data, WindowData) and commands read."""

import os
import re

from caffe.errors import DataError
from caffe.formats.mapped import PathLike

_WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_REMEDY = "Save it as UTF-8 (in an editor: Save as, encoding UTF-8)."
_FOREIGN = re.compile("[\udc80-\udcff]")


def read_text(path: PathLike, words: str, remedy: str = "Correct `source`.") -> str:
    """The text of a list, without byte-order marks, lines ending in a line feed.

    Bytes that are not UTF-8 stay, as surrogates: a file's name may have any. words: what an error for a file that
    cannot be opened begins with. Raises DataError.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{words}: {why}. {remedy}") from error
    if content.startswith(_HDF5):
        raise DataError(
            f"source '{name}' is an HDF5 file itself, expected a text file that names such files, one on each line. "
            f"Make one that holds this line: {name}"
        )
    for mark, encoding in _WIDE.items():
        if content.startswith(mark):
            raise DataError(f"{name}:1: {encoding} found, expected text in UTF-8. {_REMEDY}")
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{name}:{line}: zero bytes found, expected text in UTF-8. {_REMEDY}")
    text = content.decode("utf-8", errors="surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")


def read_lines(path: PathLike, words: str, remedy: str = "Correct `source`.") -> list[tuple[int, str]]:
    """The lines that are not blank, each with its number, as `read_text` reads them."""
    lines = enumerate(read_text(path, words, remedy).split("\n"), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def read_words(path: PathLike, words: str, remedy: str = "Correct `source`.") -> list[str]:
    """What space and line ends separate, as `read_text` reads it."""
    return re.findall(r"[^ \t\n\v\f\r]+", read_text(path, words, remedy))


def check_name(file: str, place: str) -> None:
    """Raises DataError for the name of a file that has bytes that are not UTF-8, unless there is a file of that very
    name. place: the list and the line."""
    foreign = _FOREIGN.search(file)
    if foreign and not os.path.exists(file):
        byte = ord(foreign.group()) & 0xFF
        shown = file.encode("utf-8", "surrogateescape").decode("latin-1")
        raise DataError(
            f"{place}: the byte 0x{byte:02x} found, which is not UTF-8, and there is no file of that very name "
            f"('{shown}' in Latin-1). {_REMEDY}"
        )
