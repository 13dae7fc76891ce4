"""Pictures are upright as their EXIF orientation says, or stay as they are stored if that is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.data import images
from fcn_caffe.data_layers.folder_layers import FolderSegDataLayer
from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.voc_layers import VOCSegDataLayer
from tests.data_layers.driver import MEAN, Driver
from tests.exif import STORED_AS, save

SEEN = np.zeros((24, 40, 3), np.uint8)
"""What the camera saw: red above on the left, green below on the right."""
SEEN[:8, :16, 0] = 255
SEEN[-8:, -16:, 1] = 255


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_pictures_are_read_upright_or_as_stored(tmp_path: Path, orientation: int, ending: str) -> None:
    path, stored = tmp_path / f"x.{ending}", STORED_AS[orientation](SEEN)
    save(stored, orientation, path)
    assert (files.read_image(str(path)) == SEEN).all()
    assert (files.read_image(str(path), upright=False) == stored).all()


@pytest.mark.parametrize("orientation", STORED_AS)
def test_photos_are_upright_as_the_engine_reads_them(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "x.jpg"
    save(STORED_AS[orientation](SEEN), orientation, path)
    ours = files.read_image(str(path))
    assert (ours == images.read(path)[:, :, ::-1]).all()
    assert np.abs(ours.astype(int) - SEEN).mean() < 20
    looks = files.look(str(path))
    assert looks.orientation == orientation
    assert looks.upright_size == (40, 24)
    assert looks.size_tells == (orientation not in (2, 3, 4))


@pytest.mark.parametrize("orientation", STORED_AS)
def test_tiffs_are_turned_once_by_every_reader(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "x.tif"
    save(STORED_AS[orientation](SEEN), orientation, path)
    assert (images.read(path)[:, :, ::-1] == SEEN).all()
    assert (caffe.io.load_image(str(path)) == SEEN / np.float32(255)).all()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_there_is_not_turns_nothing(tmp_path: Path, orientation: int) -> None:
    save(SEEN, orientation, tmp_path / "x.png")
    assert (files.read_image(str(tmp_path / "x.png")) == SEEN).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    for exif in (b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"):
        Image.fromarray(SEEN).save(tmp_path / "x.jpg", exif=exif)
        assert files.read_image(str(tmp_path / "x.jpg")).shape == SEEN.shape


def test_a_label_that_says_how_it_is_turned_is_turned(tmp_path: Path) -> None:
    label = np.arange(6, dtype=np.uint8).reshape(2, 3)
    save(np.rot90(label), 6, tmp_path / "x.png")
    assert files.read_label(str(tmp_path / "x.png")).tolist() == label.tolist()
    assert files.read_label(str(tmp_path / "x.png"), upright=False).tolist() == np.rot90(label).tolist()


LABEL = np.zeros((24, 40), np.uint8)
LABEL[:8, :16], LABEL[-8:, -16:] = 1, 2


@pytest.fixture(params=["folder", "voc"])
def driver(request: Any, tmp_path: Path) -> Any:
    """Makes a data set of one photo, and a layer that reads it."""
    names = {"folder": ("images", "labels"), "voc": ("JPEGImages", "SegmentationClass")}[request.param]

    def make(orientation: int, label: np.ndarray, seen: np.ndarray = SEEN, **params: Any) -> Driver:
        for name in names:
            (tmp_path / name).mkdir(exist_ok=True)
        save(STORED_AS[orientation](seen), orientation, tmp_path / names[0] / "a.png")
        Image.fromarray(np.ascontiguousarray(label)).save(tmp_path / names[1] / "a.png")
        if request.param == "folder":
            where = {"images": str(tmp_path / names[0]), "labels": str(tmp_path / names[1])}
            return Driver(FolderSegDataLayer, n_classes=3, **where, **params)
        (tmp_path / "ImageSets/Segmentation").mkdir(parents=True, exist_ok=True)
        (tmp_path / "ImageSets/Segmentation/val.txt").write_text("a\n")
        return Driver(VOCSegDataLayer, n_classes=3, voc_dir=str(tmp_path), split="val", mean=MEAN, **params)

    return make


def classes_where_the_colours_are(tops: list[np.ndarray]) -> bool:
    data, label = tops[0][0] + np.array(MEAN)[:, None, None], tops[1][0, 0]
    red, green = data[2] > 128, data[1] > 128
    return bool((label[red] == 1).all() and (label[green] == 2).all() and (label == 0).sum() == (~red & ~green).sum())


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_phones_photo_fits_the_label_of_what_was_seen(driver: Any, orientation: int) -> None:
    assert classes_where_the_colours_are(driver(orientation, LABEL).forward())


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_as_stored_a_photo_fits_the_label_of_what_was_stored(driver: Any, orientation: int) -> None:
    layer = driver(orientation, STORED_AS[orientation](LABEL), upright=False)
    assert classes_where_the_colours_are(layer.forward())


@pytest.mark.parametrize("orientation", [6, 8])
def test_a_label_of_the_stored_picture_is_told_with_the_remedy(driver: Any, orientation: int) -> None:
    words = f"EXIF orientation {orientation} and is turned upright; .* as it is stored. .* set 'upright': False"
    with pytest.raises(ValueError, match=words):
        driver(orientation, STORED_AS[orientation](LABEL))
    with pytest.raises(ValueError, match="the label was made on the upright picture. Leave out 'upright': False"):
        driver(orientation, LABEL, upright=False)
    with pytest.raises(ValueError, match="Is it the label of another version"):
        driver(orientation, LABEL[:7])


def test_where_sizes_cannot_tell_it_is_said_once(driver: Any, capsys: Any) -> None:
    square = np.ascontiguousarray(SEEN[:, :24])
    for orientation, seen, told in ((1, SEEN, 0), (3, SEEN, 1), (6, SEEN, 0), (6, square, 1)):
        layer = driver(orientation, np.zeros(seen.shape[:2], np.uint8), seen, prefetch=0)
        for _ in range(3):
            layer.forward()
        assert capsys.readouterr().err.count("cannot tell whether it was made on the upright picture") == told
