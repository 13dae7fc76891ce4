"""Folders of images: which files count, in which order, and what is told of those that have none."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_caffe.data_layers.segdata import files, own_pictures, pairs
from fcn_caffe.pictures import drawing, outputs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("below", ".ipynb_checkpoints"):
        (tmp_path / name).mkdir()
    for name in (".ipynb_checkpoints/a.png", "b.JPG", "a.png", "c.Tiff", ".hidden.png", "notes.txt", "below/d.png"):
        (tmp_path / name).touch()
    return tmp_path


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
    assert pairs.by_stem(str(folder), "images")
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


@pytest.fixture
def with_results(tmp_path: Path) -> Path:
    """Photos a and b, and in their folder what `fcn infer` writes of them."""
    for name in ("a.bmp", "b.png"):
        Image.new("RGB", (5, 7)).save(tmp_path / name)
    drawing.save_labels(np.zeros((7, 5)), tmp_path / "a.png")
    drawing.save_labels(np.zeros((7, 5)), tmp_path / "0_b.png")
    for name in ("a_overlay.png", "0_b_overlay.png", "legend.png"):
        outputs.save_picture(Image.new("RGB", (5, 7)), tmp_path / name)
    return tmp_path


def test_results_beside_photos_are_no_photos(with_results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = {"a": str(with_results / "a.bmp"), "b": str(with_results / "b.png")}
    assert pairs.by_stem(str(with_results), "images") == photos
    assert "5 picture(s) of" in capsys.readouterr().err
    assert files.find_image(str(with_results / "a")) == photos["a"]


def test_label_maps_that_a_net_made_are_labels_and_its_overlays_are_none(with_results: Path) -> None:
    for name in ("a.bmp", "b.png"):
        (with_results / name).unlink()
    assert sorted(pairs.by_stem(str(with_results), "labels")) == ["0_b", "a"]
    with pytest.raises(ValueError, match="has no image file"):
        pairs.by_stem(str(with_results), "images")


def test_a_picture_is_known_by_its_mark_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    outputs.save_picture(Image.new("RGB", (5, 7)), path)
    content = path.read_bytes()
    assert own_pictures.is_own(str(path))
    Image.open(path).save(path)
    assert not own_pictures.is_own(str(path))
    for length in range(len(content) - 30):
        path.write_bytes(content[:length])
        assert own_pictures.is_own(str(path)) == (content[:length].find(b"fcn-caffe") > 0)
    assert not own_pictures.is_own(str(tmp_path / "absent.png"))
