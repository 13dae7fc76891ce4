"""Classifier and Detector on a net that tells the mean of each channel of what it sees."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.classifier import Classifier
from caffe.detector import Detector
from caffe.errors import UsageError

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } } }
layer { name: "mean" type: "Pooling" bottom: "data" top: "mean" pooling_param { pool: AVE global_pooling: true } }
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A prototxt, and weights for it (it has none)."""
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(NET)
    caffe.Net(str(prototxt), caffe.TEST).save(str(weights))
    return str(prototxt), str(weights)


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3)).astype(np.float32)


def test_predict_from_the_centre(files: tuple[str, str]) -> None:
    classifier = Classifier(
        *files, image_dims=(11, 12), raw_scale=255, channel_swap=(2, 1, 0), mean=np.array([1, 2, 3])
    )
    pictures = [image(11, 12) * scale for scale in (0.1, 0.2, 0.3, 0.4, 0.5)]
    predictions = classifier.predict(pictures, oversample=False)
    expected = [picture[1:9, 2:10, ::-1].mean((0, 1)) * 255 - (1, 2, 3) for picture in pictures]
    assert predictions.shape[:2] == (5, 3)
    assert np.allclose(predictions.reshape(5, 3), expected, atol=1e-3)


def test_predict_averages_ten_crops(files: tuple[str, str]) -> None:
    classifier = Classifier(*files, image_dims=(10, 12))
    picture = image(10, 12)
    corners = [picture[y : y + 8, x : x + 8] for y, x in ((0, 0), (0, 4), (2, 0), (2, 4), (1, 2))]
    predictions = classifier.predict([picture])
    assert predictions.shape == (1, 3)
    assert np.allclose(predictions[0], np.mean([corner.mean((0, 1)) for corner in corners], 0), atol=1e-5)


def test_images_are_resized_to_the_net_by_default(files: tuple[str, str]) -> None:
    classifier = Classifier(*files)
    assert list(classifier.image_dims) == [8, 8]
    constant = np.full((30, 20, 3), 0.5, np.float32)
    assert np.allclose(classifier.predict([constant], oversample=False), 0.5)


def test_detect_windows(files: tuple[str, str], tmp_path: Path) -> None:
    pixels = (image(20, 30) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    windows = np.array([[2, 3, 10, 11], [5, 6, 13, 14], [0, 0, 8, 8], [12, 22, 20, 30], [1, 1, 9, 9]])
    found = Detector(*files).detect_windows(iter([(str(tmp_path / "x.png"), windows)]))
    assert len(found) == 5
    for detection, (top, left, bottom, right) in zip(found, windows, strict=True):
        expected = pixels[top:bottom, left:right].mean((0, 1)) / 255
        assert detection["filename"] == str(tmp_path / "x.png")
        assert np.allclose(detection["prediction"].ravel(), expected, atol=1e-5)


def test_no_windows(files: tuple[str, str]) -> None:
    assert Detector(*files).detect_windows([]) == []


def test_context_outside_the_image_is_the_mean(files: tuple[str, str]) -> None:
    detector = Detector(*files, context_pad=2, mean=np.array([25.5, 51, 76.5]), raw_scale=255, channel_swap=(2, 1, 0))
    crop = detector.crop(np.ones((20, 20, 3), np.float32), np.array([0, 0, 3, 3]))
    assert crop.shape == (8, 8, 3)
    assert np.allclose(crop[:2], [0.3, 0.2, 0.1])
    assert np.allclose(crop[2:, 2:], 1)
    inside = detector.crop(np.ones((20, 20, 3), np.float32), np.array([8, 8, 12, 12]))
    assert np.allclose(inside, 1)


def test_selective_search_is_a_package_of_its_own(files: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="selective_search_ijcv_with_python is not installed"):
        Detector(*files).detect_selective_search(["x.jpg"])


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.zeros((20, 30, 3)), "input 0: found an array of shape 30×3, expected an image"),
        ([np.zeros((20, 30))], "input 0: found an array of shape 20×30"),
        ([image(9, 9), np.zeros((20, 30, 1))], "input 1: the image has 1 channels, the net takes 3"),
        ([np.zeros((0, 30, 3))], "found an array of shape 0×30×3"),
        ([], "there is no image"),
    ],
)
def test_what_is_no_image_is_refused_in_words(files: tuple[str, str], inputs: list[np.ndarray], words: str) -> None:
    with pytest.raises(UsageError) as error:
        Classifier(*files).predict(inputs)
    assert words in str(error.value)


def test_image_dims_smaller_than_the_crop_are_refused(files: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=r"image_dims is \(8, 7\), expected a height and a width no smaller"):
        Classifier(*files, image_dims=(8, 7))
    classifier = Classifier(*files)
    classifier.image_dims = (4, 4)
    with pytest.raises(UsageError, match=r"image_dims is \(4, 4\)"):
        classifier.predict([image(9, 9)])
    with pytest.raises(UsageError, match="crops of 8×8 .* were asked of images of 4×9"):
        caffe.io.oversample([image(4, 9)], (8, 8))


@pytest.mark.parametrize("made", [Classifier, Detector])
@pytest.mark.parametrize(
    ("net", "found"),
    [
        ("", "no input"),
        ('layer { name: "a" type: "Input" top: "a" input_param { shape { dim: [4, 3] } } }', "a 4×3"),
    ],
)
def test_a_net_that_takes_no_images_is_refused(
    tmp_path: Path, files: tuple[str, str], made: type, net: str, found: str
) -> None:
    prototxt = tmp_path / "other.prototxt"
    prototxt.write_text(net)
    with pytest.raises(UsageError, match=f"{made.__name__}: the net has {found} and .* Give a deploy prototxt"):
        made(str(prototxt), files[1])
