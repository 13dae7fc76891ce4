"""fcn_caffe.Segmenter: images of every kind in, labels, scores and pictures out, from a program."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe import Segmenter
from fcn_caffe.commands import infer
from tests import exif
from tests.tools.test_infer import INPUT, LINE, SCORE, write


@pytest.fixture
def photo(empty):
    """photo.png, 9 × 14, and a net that sees three classes by the colour of a pixel."""
    write("net.prototxt", INPUT.format("data", 3) + SCORE.replace("SIZE", "kernel_size: 1"))
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return pixels


def segmenter(**settings):
    return Segmenter("net.prototxt", "net.caffemodel", **settings)


def test_a_path_a_picture_and_an_array_are_the_same_image(photo):
    segment = segmenter()
    results = [segment(each) for each in ("photo.png", Path("photo.png"), Image.open("photo.png"), photo)]
    for result in results:
        assert result.scores.shape == (3, 9, 14)
        assert np.array_equal(result.scores, results[0].scores)
        assert np.array_equal(result.labels, result.scores.argmax(0))
        assert np.array_equal(result.image, photo)


def test_it_sees_what_the_command_sees(photo):
    assert infer.main([*LINE, "photo.png"]) == 0
    result = segmenter()("photo.png")
    assert np.array_equal(np.asarray(Image.open("out/infer/photo.png")), result.labels)
    assert np.array_equal(np.asarray(Image.open("out/infer/photo_overlay.png")), np.asarray(result.overlay()))


def test_names_colours_and_shares_are_of_the_classes_in_order(photo):
    result = segmenter()(photo)
    assert result.names == ("class 0", "class 1", "class 2")
    assert result.colours.tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    shares = result.share()
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert shares["class 1"] == pytest.approx((result.labels == 1).mean())
    assert "9×14" in repr(result)


def test_a_notebook_shows_the_overlay_and_labels_are_saved_with_their_palette(photo):
    result = segmenter()(photo)
    shown = Image.open(io.BytesIO(result._repr_png_()))
    assert np.array_equal(np.asarray(shown), np.asarray(result.overlay()))
    result.save("labels.png")
    saved = Image.open("labels.png")
    assert saved.mode == "P"
    assert np.array_equal(np.asarray(saved), result.labels)
    with pytest.raises(ValueError, match=r"'labels.jpg' does not end in .png"):
        result.save("labels.jpg")
    Path("mine.png").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"mine.png"):
        result.save("mine.png")


def test_a_photo_on_its_side_is_seen_upright(photo):
    exif.save(exif.STORED_AS[6](photo), 6, Path("side.png"))
    segment = segmenter()
    for image in ("side.png", Image.open("side.png")):
        assert np.array_equal(segment(image).scores, segment(photo).scores)


def test_large_images_are_computed_smaller_and_come_back_whole(photo):
    sizes = []
    segment = segmenter(max_side=7)
    segment.net.before_forward(lambda index: sizes.append(segment.net.blobs["data"].shape))
    result = segment(photo)
    assert sizes[0] == (1, 3, 4, 7)
    assert result.labels.shape == (9, 14)
    assert np.array_equal(segmenter(max_side=20)(photo).scores, segmenter()(photo).scores)


def test_threads_take_turns_and_none_sees_anothers_image(photo):
    segment = segmenter()
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (5 + i % 4, 6 + i % 5, 3), dtype=np.uint8) for i in range(40)]
    alone = [segment(image).scores for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: segment(image).scores, images))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 5, 3)), "array of float64, 4×5×3, expected uint8, H×W×3, RGB"),
        (np.zeros((4, 5, 4), np.uint8), "expected uint8, H×W×3"),
        ("nowhere.png", "there is no file"),
    ],
)
def test_what_is_no_image_is_refused(photo, image, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        segmenter()(image)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"device": "tpu"}, "device is 'tpu', expected 'cpu', 'gpu'"),
        ({"max_side": 0}, "max_side is 0, expected at least 1"),
        ({"score": "scores"}, "scores: no such blob"),
    ],
)
def test_wrong_arguments_are_refused(photo, settings, words):
    with pytest.raises(ValueError, match=words):
        segmenter(**settings)
    with pytest.raises(ValueError, match="a prototxt alone, expected its weights"):
        Segmenter("net.prototxt")


def test_gray_pictures_are_seen_in_three_equal_channels(photo):
    gray = photo[..., 0]
    assert np.array_equal(segmenter()(gray).scores, segmenter()(np.stack([gray] * 3, 2)).scores)


def test_precision_is_set_as_asked(photo):
    before = caffe.precision()
    try:
        segmenter(precision="bf16", device="cpu")
        assert caffe.precision() == "bf16"
    finally:
        caffe.set_precision(before)


def test_the_package_is_imported_without_torch():
    program = "import sys, fcn_caffe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_loading_a_net_says_nothing_and_leaves_the_log_as_it_was(photo, capfd):
    caffe.init_log(0)
    capfd.readouterr()
    segmenter()
    assert capfd.readouterr().err == ""
    caffe.Net("net.prototxt", caffe.TEST)
    assert "Creating Layer score" in capfd.readouterr().err


def test_a_picture_of_16_bits_is_what_its_file_is(photo):
    deep = np.random.default_rng(3).integers(0, 1 << 16, (9, 14)).astype(np.uint16)
    Image.fromarray(deep).save("deep.png")
    segment = segmenter()
    assert np.array_equal(segment(Image.open("deep.png")).image, segment("deep.png").image)
    assert np.array_equal(segment("deep.png").image[..., 1], np.round(deep / 257))
    with pytest.raises(ValueError, match="the image has floating-point values"):
        segment(Image.new("F", (4, 4)))
