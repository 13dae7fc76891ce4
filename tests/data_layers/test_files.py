"""Every kind of image becomes RGB; labels keep their indices; what cannot be used is refused by name."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from fcn_caffe.data_layers.segdata import files

GRAY = np.array([[0, 128], [200, 255]], np.uint8)


def test_gray_is_repeated(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "x.png")
    assert (files.read_image(str(tmp_path / "x.png")) == GRAY[:, :, None]).all()


def test_sixteen_bit_is_scaled(tmp_path: Path) -> None:
    Image.fromarray(GRAY.astype(np.uint16) * 257).save(tmp_path / "x.png")
    assert (files.read_image(str(tmp_path / "x.png")) == GRAY[:, :, None]).all()


def test_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "x.png")
    assert files.read_image(str(tmp_path / "x.png")).tolist() == [[[10, 20, 30], [40, 50, 60]]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "1", "CMYK", "RGB"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    ending = "tif" if mode == "CMYK" else "png"
    Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode).save(tmp_path / f"x.{ending}")
    image = files.read_image(str(tmp_path / f"x.{ending}"))
    assert image.shape == (4, 5, 3)
    assert image.dtype == np.uint8
    assert (image == 255).all()


def test_transparency_is_dropped(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (9, 8, 7, 0)).save(tmp_path / "x.png")
    assert files.read_image(str(tmp_path / "x.png")).tolist() == [[[9, 8, 7]]]


def test_floating_point_image_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="x.tif' has floating-point values"):
        files.read_image(str(tmp_path / "x.tif"))


def test_any_image_ending_is_found(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "x.png")
    assert files.find_image(str(tmp_path / "x")) == str(tmp_path / "x.png")
    assert files.find_image(str(tmp_path / "absent")) == str(tmp_path / "absent.jpg")


def test_missing_file_is_named(tmp_path: Path) -> None:
    for read in (files.read_image, files.read_label):
        with pytest.raises(FileNotFoundError, match="absent.png"):
            read(str(tmp_path / "absent.png"))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match="x.jpg' is not an image"):
        files.read_image(str(tmp_path / "x.jpg"))


def test_truncated_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="x.jpg' is damaged"):
        files.read_image(str(path))


@pytest.mark.parametrize("mode", ["P", "L"])
def test_label_keeps_its_indices(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(GRAY, mode)
    if mode == "P":
        image.putpalette(list(reversed(range(256))) * 3)
    image.save(tmp_path / "x.png")
    assert (files.read_label(str(tmp_path / "x.png")) == GRAY).all()


def test_sixteen_bit_label_keeps_its_values(tmp_path: Path) -> None:
    values = np.array([[0, 300]], np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    assert files.read_label(str(tmp_path / "x.png")).tolist() == [[0, 300]]


def test_coloured_label_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match="x.png' has mode RGB, expected one class index per pixel"):
        files.read_label(str(tmp_path / "x.png"))


def test_depth_is_read_as_it_is(tmp_path: Path) -> None:
    depth = np.array([[0, 700], [2550, 65535]], np.uint16)
    Image.fromarray(depth).save(tmp_path / "x.png")
    assert np.array_equal(files.read_depth(str(tmp_path / "x.png")), [[np.nan, 700], [2550, 65535]], equal_nan=True)


def test_negative_depth_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-1, 2]], np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="x.tif' is -1 somewhere"):
        files.read_depth(str(tmp_path / "x.tif"))


@pytest.mark.parametrize(
    "error", [TypeError("3 arguments"), IndexError(), OverflowError(), MemoryError(), struct.error(), zlib.error()]
)
@pytest.mark.parametrize("read", [files.read_image, files.read_label, files.read_depth])
def test_whatever_pillow_raises_on_a_damaged_file_the_file_is_named(tmp_path: Path, monkeypatch, error, read) -> None:
    Image.fromarray(GRAY).save(tmp_path / "x.png")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(PngImageFile, "load", fail)
    with pytest.raises(ValueError, match="x.png"):
        read(str(tmp_path / "x.png"))
    monkeypatch.setattr(PngImageFile, "_open", fail)
    with pytest.raises(ValueError, match="x.png"):
        read(str(tmp_path / "x.png"))
