"""Decoding and resizing. The numbers of OpenCV itself are in the recorded ImageData and Data cases."""

import io

import numpy as np
import pytest
from PIL import Image

from caffe.data import images
from caffe.errors import DataError

RGB = np.random.RandomState(0).randint(0, 256, (4, 6, 3)).astype(np.uint8)
GREY = RGB[..., 0]


def encoded(array: np.ndarray, kind: str = "PNG", mode: str | None = None, **options) -> bytes:
    content = io.BytesIO()
    Image.fromarray(array, mode).save(content, kind, **options)
    return content.getvalue()


def test_colours_are_bgr():
    np.testing.assert_array_equal(images.decode(encoded(RGB), True, ""), RGB[..., ::-1])


def test_grey_becomes_three_equal_channels():
    np.testing.assert_array_equal(images.decode(encoded(GREY), True, ""), np.dstack([GREY] * 3))
    np.testing.assert_array_equal(images.decode(encoded(GREY), False, ""), GREY[..., None])


@pytest.mark.parametrize(("array", "channels"), [(RGB, 3), (GREY, 1), (np.dstack([RGB, GREY]), 4)])
def test_unchanged_keeps_the_channels(array, channels):
    assert images.decode(encoded(array), None, "").shape == (4, 6, channels)


def test_alpha_is_the_last_channel_when_unchanged():
    found = images.decode(encoded(np.dstack([RGB, GREY])), None, "")
    np.testing.assert_array_equal(found, np.dstack([RGB[..., ::-1], GREY]))


def test_a_bmp_and_a_png_are_rounded_to_grey_differently():
    exact = RGB @ [0.299, 0.587, 0.114]
    png, bmp = (images.decode(encoded(RGB, kind), False, "")[..., 0] for kind in ("PNG", "BMP"))
    np.testing.assert_array_equal(bmp, np.floor(exact + 0.5))
    assert (png <= bmp).all()
    assert (png != bmp).any()


def test_a_photograph_is_turned_upright_unless_unchanged():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90°
    content = encoded(RGB, "JPEG", exif=exif)
    assert images.decode(content, True, "").shape == (6, 4, 3)
    assert images.decode(content, None, "").shape == (4, 6, 3)


def test_sixteen_bits_become_eight():
    deep = (GREY.astype(np.uint16) << 8) + 77
    np.testing.assert_array_equal(images.decode(encoded(deep), False, "")[..., 0], GREY)
    with pytest.raises(DataError, match="Image data type must be unsigned byte"):
        images.decode(encoded(deep), None, "deep.png")


def test_inks_become_colours():
    inks = Image.fromarray(RGB).convert("CMYK")
    content = io.BytesIO()
    inks.save(content, "TIFF")
    np.testing.assert_allclose(images.decode(content.getvalue(), True, ""), RGB[..., ::-1], atol=1)


@pytest.mark.parametrize("content", [b"", b"no image", encoded(RGB)[:-30], encoded(RGB, "JPEG")[:300]])
def test_what_is_no_whole_image_is_named(content):
    with pytest.raises(DataError, match=r"Could not load key7: .+ Expected a whole image file"):
        images.decode(content, True, "key7")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Could not load .*none.png: No such file or directory"):
        images.read(tmp_path / "none.png")


def test_the_same_size_is_the_same_image():
    assert images.resize(RGB, 4, 6) is RGB


def test_half_the_size_is_the_mean_of_four_pixels():
    blocks = RGB.reshape(2, 2, 3, 2, 3).astype(float).mean((1, 3))
    np.testing.assert_array_equal(images.resize(RGB, 2, 3), np.floor(blocks + 0.5))


@pytest.mark.parametrize("size", [(9, 13), (3, 2), (1, 1), (40, 5)])
def test_resizing_is_bilinear_around_pixel_centres(size):
    height, width = size
    y = ((np.arange(height) + 0.5) * 4 / height - 0.5).clip(0, 3)
    x = ((np.arange(width) + 0.5) * 6 / width - 0.5).clip(0, 5)
    rows = (
        RGB[np.floor(y).astype(int)] * (1 - y % 1)[:, None, None] + RGB[np.ceil(y).astype(int)] * (y % 1)[:, None, None]
    )
    exact = rows[:, np.floor(x).astype(int)] * (1 - x % 1)[:, None] + rows[:, np.ceil(x).astype(int)] * (x % 1)[:, None]
    assert abs(images.resize(RGB, height, width) - exact).max() < 1
