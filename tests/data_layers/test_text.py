"""Text that users write: byte-order marks and line endings do not count, other encodings are refused."""

from pathlib import Path

import pytest

from fcn_caffe.data_layers.segdata import classes, splits, text

LINES = [(1, "sky"), (2, "Bäume"), (4, "sea")]
TEXT = "sky\nBäume\n\nsea\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.rstrip().encode(),
        TEXT.replace("\n", " \t\n").encode(),
        TEXT.replace("sea", "\ufeffsea").encode(),
        TEXT.replace("sea", "\u200bsea\u200b ").encode(),
    ],
    ids=[
        "plain",
        "mark",
        "CRLF",
        "CR",
        "no end",
        "trailing space",
        "a mark within, of two files put together",
        "unseen",
    ],
)
def test_marks_and_line_endings_do_not_count(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    assert text.lines(str(tmp_path / "x.txt")) == LINES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode("utf-16"), "x.txt':1 is UTF-16"),
        (TEXT.encode("utf-32"), "x.txt':1 is UTF-32"),
        (TEXT.encode("utf-16-le"), "x.txt':1 has zero bytes as UTF-16"),
        (TEXT.encode("utf-16-be"), "x.txt':1 has zero bytes as UTF-16"),
        (TEXT.encode("latin-1"), "x.txt':2 is not UTF-8 .the byte 0xe4, which is 'ä' in Latin-1"),
        (TEXT.replace("\n", "\r\n").encode("latin-1"), "x.txt':2 is not UTF-8"),
        (b"sky\nPK\0\0", "x.txt':2 has zero bytes"),
    ],
)
def test_other_encodings_are_refused_with_file_line_and_remedy(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    readers = (text.read, classes.read, lambda path: splits.read_names(path, "who"))
    for read in readers:
        with pytest.raises(ValueError, match=words) as told:
            read(str(tmp_path / "x.txt"))
        assert "UTF-8" in str(told.value)


def test_a_folder_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder, expected a text file"):
        text.read(str(tmp_path))
