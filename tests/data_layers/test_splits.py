"""Lists of images in the forms that people and programs write them: paths, endings, pairs, columns."""

from pathlib import Path

import pytest

from fcn_caffe.data_layers.segdata import splits

IMAGES = {"a", "more/c", "my photo", "frame.0001", "x,y", "é"}
LABELS = {*IMAGES, "a_mask", "more/c_L", "1", "my label"}


def entries(folder: Path, text: str) -> list[tuple[str, str | None]]:
    (folder / "val.txt").write_text(text, encoding="utf-8")
    return [
        tuple(entry)
        for entry in splits.read_entries(str(folder / "val.txt"), "who", IMAGES.__contains__, LABELS.__contains__)
    ]


@pytest.mark.parametrize(
    ("line", "image"),
    [
        ("a", "a"),
        ("a.jpg", "a"),
        ("a.JPG", "a"),
        ("./a.png", "a"),
        ("../photos/a.png", "a"),
        ("/home/me/photos/a.png", "a"),
        ("/home/me/my photos/a.png", "a"),
        ("/x" * 30 + "/a.png", "a"),
        ("C:\\Users\\me\\photos\\a.png", "a"),
        ('"a.png"', "a"),
        ("more/c.bmp", "more/c"),
        ("photos/more/c.bmp", "more/c"),
        ("my photo", "my photo"),
        ("my photo.jpg", "my photo"),
        ("photos/my photo.jpg", "my photo"),
        ("frame.0001", "frame.0001"),
        ("frame.0001.png", "frame.0001"),
        ("x,y", "x,y"),
        ("x,y.png", "x,y"),
        ("e\u0301.png", "é"),
        ("a 1", "a"),
        ("a  -1", "a"),
        ("a.jpg 0", "a"),
        ("a.jpg\t3\tsunny", "a"),
        ("a,train", "a"),
        ("my photo.jpg 1", "my photo"),
        ("JPEGImages/a.jpg SegmentationClassAug/a.png", "a"),
        ("/JPEGImages/a.jpg /SegmentationClassAug/a.png", "a"),
        ("a.jpg,a.png", "a"),
        ("a.jpg;a.png;train", "a"),
    ],
)
def test_a_line_names_an_image(tmp_path: Path, line: str, image: str) -> None:
    assert entries(tmp_path, f"{line}\n") == [(image, None)]


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("a.jpg a_mask.png", ("a", "a_mask")),
        ("photos/a.jpg masks/a_mask.png 3", ("a", "a_mask")),
        ("more/c,more/c_L", ("more/c", "more/c_L")),
        ("my photo.jpg my label.png", ("my photo", "my label")),
        ("my photo.jpg\tmy label.png", ("my photo", "my label")),
        ("a 1", ("a", None)),
        ("a 1.png", ("a", "1")),
        ("a.jpg no_such.png", ("a", "no_such.png")),
        ("a.jpg masks/no_such.png 3", ("a", "masks/no_such.png")),
    ],
)
def test_a_line_may_name_the_label_too(tmp_path: Path, line: str, pair: tuple[str, str | None]) -> None:
    assert entries(tmp_path, f"{line}\n") == [pair]


@pytest.mark.parametrize("first", ["image,label", "filename mask", "# mine", "Image;Mask;Split"])
def test_names_of_columns_and_comments_are_no_images(tmp_path: Path, first: str) -> None:
    assert entries(tmp_path, f"{first}\na.jpg,a.png\n") == [("a", None)]


@pytest.mark.parametrize("line", ["b", "b.jpg", "photos/b.jpg masks/a.png", "b.jpg a.png", "b,a", "b a.png"])
def test_what_is_not_there_is_not_taken_for_something_else(tmp_path: Path, line: str) -> None:
    assert entries(tmp_path, f"a\n{line}\n") == [("a", None), (line, None)]


def test_a_list_of_nothing_but_remarks_is_empty(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names no image"):
        entries(tmp_path, "image,label\n# none yet\n")


def test_plain_names_are_not_looked_for(tmp_path: Path) -> None:
    def fail(name: str) -> bool:
        raise AssertionError(name)

    (tmp_path / "val.txt").write_text("2007_000032\n2007_000033\n")
    assert splits.read_images(str(tmp_path / "val.txt"), "who", fail) == ["2007_000032", "2007_000033"]


def test_a_line_of_very_many_words_is_soon_given_up(tmp_path: Path) -> None:
    tried = []

    def is_image(name: str) -> bool:
        tried.append(name)
        return False

    (tmp_path / "val.txt").write_text("a/b.png " * 500)
    splits.read_entries(str(tmp_path / "val.txt"), "who", is_image, is_image)
    assert 0 < len(tried) < 5000


def test_a_list_of_anything_is_looked_for_in_bounds(tmp_path: Path) -> None:
    asked: list[str] = []

    def known(name: str) -> bool:
        asked.append(name)
        return False

    lines = ["a b/" * 20_000, *("/".join("x" * 300) + " y" * 300 for _ in range(500))]
    (tmp_path / "val.txt").write_text("\n".join(lines))
    assert splits.read_images(str(tmp_path / "val.txt"), "who", known) == [line.strip() for line in lines]
    assert len(asked) < 50 * 10 * 40


@pytest.mark.parametrize("folder", ["", "./", "lists/"])
def test_a_list_that_is_not_there_is_told_with_those_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lists").mkdir()
    Path(f"{folder}val.txt").write_text("a\n")
    with pytest.raises(
        FileNotFoundError, match=rf"^there is no split file '{folder}train.txt'; the splits there are: val\."
    ):
        splits.read_names(f"{folder}train.txt", "")
    with pytest.raises(FileNotFoundError, match=rf"^who: there is .*; not even its folder '{tmp_path}/nowhere' exists"):
        splits.read_names("nowhere/train.txt", "who")
