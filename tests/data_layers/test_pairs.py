"""Folders of images: which files count, in which order, and what is told of those that have none."""

import os
from pathlib import Path

import pytest

from fcn_caffe.data_layers.segdata import pairs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("below", ".ipynb_checkpoints"):
        (tmp_path / name).mkdir()
    for name in (".ipynb_checkpoints/a.png", "b.JPG", "a.png", "c.Tiff", ".hidden.png", "notes.txt", "below/d.png"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_means_its_images(folder: Path) -> None:
    inside = [str(folder / name) for name in ("a.png", "b.JPG", "c.Tiff")]
    assert pairs.images_of([str(folder), "x.png"]) == [*inside, "x.png"]


def test_folders_below_are_named_where_there_is_no_image(folder: Path) -> None:
    for name in ("a.png", "b.JPG", "c.Tiff"):
        (folder / name).unlink()
    with pytest.raises(ValueError, match=r"has no image file \(.*\); it has the folders below: name one of them"):
        pairs.images_of([str(folder)])


def test_pairs_are_found_in_folders_below(folder: Path) -> None:
    assert sorted(pairs.by_stem(str(folder), "images")) == ["a", "b", "below/d", "c"]


def test_files_of_other_kinds_are_named_where_there_is_no_image(tmp_path: Path) -> None:
    for name in ("a.HEIC", "b.heic", "c.cr2"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"It has files .cr2, .heic: convert them to one of those kinds"):
        pairs.by_stem(str(tmp_path), "images")


def test_pictures_of_a_kind_that_is_not_read_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("p.HEIC", "q.heic", "notes.xml"):
        (folder / name).touch()
    for read in (lambda: pairs.images_of([str(folder)]), lambda: pairs.by_stem(str(folder), "images")):
        assert read()
        assert "WARNING: 2 picture(s) of" in capsys.readouterr().err


def test_pipes_and_devices_are_no_images(folder: Path) -> None:
    os.mkfifo(folder / "below/pipe.png")
    (folder / "null.png").symlink_to("/dev/null")
    (folder / "nowhere.png").symlink_to("not there.png")
    assert sorted(pairs.by_stem(str(folder), "images")) == ["a", "b", "below/d", "c", "nowhere"]


def test_links_to_folders_are_followed_but_not_back(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "e.png").touch()
    (elsewhere / "back").symlink_to(folder)
    (folder / "linked").symlink_to(elsewhere)
    (folder / "below/up").symlink_to("..")
    assert sorted(pairs.by_stem(str(folder), "images")) == ["a", "b", "below/d", "c", "linked/e"]


def test_an_accent_may_be_a_character_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "cafe\u0301.png").touch()
    assert list(pairs.by_stem(str(tmp_path), "images")) == ["caf\u00e9"]
