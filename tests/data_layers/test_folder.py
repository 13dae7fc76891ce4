"""Any two folders: pairs by name, labels as indices or as colours, and errors that say what is missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.data_layers.folder_layers import FolderSegDataLayer
from fcn_caffe.data_layers.segdata import classes
from tests.data_layers.driver import Driver
from tests.data_layers.miniatures import save

LABEL = np.array([[0, 1, 2, 255]], np.uint8)
COLOURED = "# mine\nsky 10 20 30\n\nlow road 0 255 0\nsea 7 7 7\nvoid 1 1 1\nsky 11 20 30\n"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three pairs, one in a folder below, and a file that is no image."""
    for name, ending in (("b", "jpg"), ("a", "png"), ("more/c", "bmp")):
        save(np.full((1, 4, 3), 100, np.uint8), tmp_path, "images", f"{name}.{ending}")
        save(LABEL, tmp_path, "labels", f"{name}.png")
    (tmp_path / "labels/README.txt").write_text("not an image")
    return tmp_path


def driver(folders: Path, **params: Any) -> Driver:
    where = {"images": str(folders / "images"), "labels": str(folders / "labels")}
    if "classes_file" not in params:
        params.setdefault("n_classes", 3)
    return Driver(FolderSegDataLayer, **{**where, **params})


def list_of_classes(folders: Path, text: str) -> str:
    (folders / "classes.txt").write_text(text)
    return str(folders / "classes.txt")


def test_all_pairs_in_alphabetical_order(folders: Path) -> None:
    layer = driver(folders)
    assert layer.layer.indices == ["a", "b", "more/c"]
    assert layer.indices(4) == [0, 1, 2, 0]
    data, label = layer.forward()
    assert data.shape == (1, 3, 1, 4)
    assert data[0, :, 0, 0].tolist() == pytest.approx([100 - 104.00699, 100 - 116.66877, 100 - 122.67892], abs=1e-4)
    assert label[0, 0].tolist() == LABEL.tolist()


def test_palette_labels(folders: Path) -> None:
    image = Image.fromarray(LABEL)
    image.putpalette(list(reversed(range(256))) * 3)
    image.save(folders / "labels/a.png")
    assert driver(folders).forward()[1][0, 0].tolist() == LABEL.tolist()


@pytest.mark.parametrize("lines", ["more/c\na\n", "more/c.bmp\na.png\n"])
def test_a_list_chooses(folders: Path, lines: str) -> None:
    (folders / "val.txt").write_text(lines)
    assert driver(folders, split=str(folders / "val.txt")).layer.indices == ["more/c", "a"]


def test_names_may_have_dots(folders: Path) -> None:
    for folder in ("images", "labels"):
        save(LABEL, folders, folder, "frame.0001.png")
    (folders / "val.txt").write_text("frame.0001\nframe.0001.png\nframe.0002\n")
    with pytest.raises(FileNotFoundError, match=r"1 name\(s\) of .* have no image: frame.0002\."):
        driver(folders, split=str(folders / "val.txt"))
    (folders / "val.txt").write_text("frame.0001\nframe.0001.png\n")
    assert driver(folders, split=str(folders / "val.txt")).layer.indices == ["frame.0001"] * 2


def test_a_training_list_is_taken_in_random_order(folders: Path) -> None:
    for name, at_random in (("train.txt", True), ("val.txt", False)):
        (folders / name).write_text("a\nb\n")
        assert driver(folders, split=str(folders / name)).layer.random is at_random
    (folders / "training").mkdir()
    (folders / "val.txt").rename(folders / "training/val.txt")
    assert not driver(folders, split=str(folders / "training/val.txt")).layer.random
    assert driver(folders, randomize=True, seed=3).indices(30) != [0, 1, 2] * 10


def test_names_of_classes_give_their_number(folders: Path) -> None:
    assert driver(folders, classes_file=list_of_classes(folders, "sky\nlow road\nsea\n")).forward()
    with pytest.raises(ValueError, match=r"a.png' has the value\(s\) 2, expected 0..1 or 255"):
        driver(folders, classes_file=list_of_classes(folders, "sky\nlow road\n"))


def test_colours_become_classes(folders: Path) -> None:
    colours = np.array([[(10, 20, 30), (0, 255, 0), (7, 7, 7), (1, 1, 1)], [(11, 20, 30)] * 4], np.uint8)
    save(colours, folders, "labels", "a.png")
    save(np.zeros((2, 4, 3), np.uint8), folders, "images", "a.png")
    file = list_of_classes(folders, COLOURED)
    assert driver(folders, classes_file=file).forward()[1][0, 0].tolist() == [[0, 1, 2, 255], [0] * 4]
    assert driver(folders, classes_file=file, classes=[2, 0]).forward()[1][0, 0, 0].tolist() == [1, 255, 0, 255]
    assert classes.read(file).names == ("sky", "low road", "sea")


def test_colours_that_no_class_has_are_named(folders: Path) -> None:
    save(np.array([[(10, 20, 30), (9, 9, 9), (9, 9, 9), (8, 8, 8)]], np.uint8), folders, "labels", "a.png")
    with pytest.raises(
        ValueError, match=r"a.png' has 2 colour\(s\) that no class has, such as \(9, 9, 9\), \(8, 8, 8\)"
    ):
        driver(folders, classes_file=list_of_classes(folders, COLOURED))


def test_a_missing_partner_is_named(folders: Path) -> None:
    (folders / "labels/b.png").unlink()
    (folders / "labels/more/c.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"2 name\(s\) of '.*images' have no label: b, more/c\."):
        driver(folders)
    (folders / "val.txt").write_text("a\n")
    assert driver(folders, split=str(folders / "val.txt")).layer.indices == ["a"]
    (folders / "val.txt").write_text("a\nz\n")
    with pytest.raises(FileNotFoundError, match=r"1 name\(s\) of '.*val.txt' have no image: z\."):
        driver(folders, split=str(folders / "val.txt"))


def test_two_files_of_one_name_are_refused(folders: Path) -> None:
    save(LABEL, folders, "labels", "a.bmp")
    with pytest.raises(ValueError, match="labels '.*a.bmp' and '.*a.png' have one name"):
        driver(folders)


def test_sizes_must_agree(folders: Path) -> None:
    save(LABEL[:, :2], folders, "labels", "a.png")
    with pytest.raises(ValueError, match="the image is 4×1 pixels, its label 2×1"):
        driver(folders)


def test_missing_and_empty_folders_are_named(folders: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder '.*nowhere' of images"):
        driver(folders, images=str(folders / "nowhere"))
    (folders / "empty").mkdir()
    with pytest.raises(ValueError, match="empty' of labels has no image file"):
        driver(folders, labels=str(folders / "empty"))


def test_classes_must_be_said_once(folders: Path) -> None:
    with pytest.raises(ValueError, match="has neither classes_file nor n_classes"):
        driver(folders, n_classes=None)
    with pytest.raises(ValueError, match="has classes_file and n_classes"):
        driver(folders, classes_file=list_of_classes(folders, "sky"), n_classes=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no class"),
        ("sky\nroad 1 2 3\n", "some lines with a colour and some without"),
        ("sky\nsky\n", "'.*classes.txt':2: sky comes twice"),
        ("sky\nvoid\n", "'.*classes.txt':2: void is 255 in labels without colours"),
        ("sky 1 2 3\nsea 1 2 3\n", r"'.*classes.txt':2: the colour \(1, 2, 3\) comes twice"),
        ("sky 1 2 300\n", "'.*classes.txt':1: the colour of 'sky 1 2 300' is not of numbers from 0 to 255"),
        ("void 1 2 3\n", "has 0 classes, expected 1 to 255"),
        ("\n".join(map(str, range(256))), "has 256 classes"),
    ],
)
def test_lists_of_classes_are_checked(folders: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classes.read(list_of_classes(folders, text))


def test_a_missing_list_is_named(folders: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.txt"):
        driver(folders, classes_file=str(folders / "none.txt"))


def test_state_belongs_to_its_list(folders: Path) -> None:
    layer = driver(folders, randomize=True, seed=1)
    layer.indices(5)
    other = driver(folders, randomize=True, seed=2)
    other.layer.set_state(layer.layer.state())
    assert other.indices(9) == layer.indices(9)
    (folders / "train.txt").write_text("a\nb\nmore/c\n")
    with pytest.raises(ValueError, match="belongs to split ''"):
        driver(folders, split=str(folders / "train.txt")).layer.set_state(layer.layer.state())


def test_a_label_that_a_list_names_must_be_there(folders: Path) -> None:
    (folders / "val.txt").write_text("a.png no_such.png\nb.jpg b.png\n")
    with pytest.raises(FileNotFoundError, match=r"1 label\(s\) that '.*val.txt' names are not there: no_such.png"):
        driver(folders, split=str(folders / "val.txt"))
