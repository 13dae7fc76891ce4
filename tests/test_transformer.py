"""DataTransformer beside a naive one; the numbers of real Caffe are in the recorded cases."""

import numpy as np
import pytest

import caffe
from caffe.data.random import Random, new_seed
from caffe.data.transformer import DataTransformer
from caffe.errors import DataError, NetError
from caffe.formats import binaryproto
from caffe.proto import caffe_pb2

IMAGE = np.random.RandomState(0).randint(0, 256, (3, 7, 9)).astype(np.uint8)


def transformer(phase=caffe_pb2.TRAIN, **settings) -> DataTransformer:
    made = DataTransformer(caffe_pb2.TransformationParameter(**settings), phase, "layer 'data' (Data)")
    made.start_random()
    return made


def naive(image, top, left, crop, mirror, mean, scale):
    channels = len(image)
    out = np.zeros((channels, crop, crop))
    for c in range(channels):
        for h in range(crop):
            for w in range(crop):
                target = crop - 1 - w if mirror else w
                out[c, h, target] = (float(image[c, top + h, left + w]) - mean[c, top + h, left + w]) * scale
    return out


@pytest.mark.parametrize("mean_kind", ["none", "one value", "values", "file"])
@pytest.mark.parametrize("phase", [caffe_pb2.TRAIN, caffe_pb2.TEST])
def test_crop_mirror_mean_and_scale(tmp_path, mean_kind, phase):
    settings: dict = {"crop_size": 4, "mirror": True, "scale": 0.25}
    mean = np.zeros(IMAGE.shape)
    if mean_kind == "one value":
        settings["mean_value"], mean = [100.5], mean + 100.5
    if mean_kind == "values":
        settings["mean_value"], mean = [1, 2, 3], mean + np.reshape([1, 2, 3], (3, 1, 1))
    if mean_kind == "file":
        mean = np.random.RandomState(1).rand(*IMAGE.shape).astype(np.float32)
        settings["mean_file"] = str(tmp_path / "mean.binaryproto")
        binaryproto.write(settings["mean_file"], mean[None])
    caffe.set_random_seed(3)
    made = transformer(phase, **settings)
    caffe.set_random_seed(3)
    draws = Random(first_seed())
    for _ in range(5):
        mirror = draws.below(2)
        top, left = (draws.below(4), draws.below(6)) if phase == caffe_pb2.TRAIN else (1, 2)
        expected = naive(IMAGE, top, left, 4, mirror, mean, 0.25)
        np.testing.assert_allclose(made.apply(IMAGE, "an image"), expected, rtol=1e-6, atol=1e-5)


def first_seed() -> int:
    """The first word of mt19937 seeded with 3, as boost and C++ have it."""
    return int(np.random.RandomState(3).randint(0, 2**32, dtype=np.uint32))


def test_the_generator_is_the_mt19937_of_the_standard():
    words = Random(5489)
    assert [words.word() for _ in range(10000)][-1] == 4123659995  # the value that the C++ standard demands


def test_every_order_is_drawn():
    stream, seen = Random(1), set()
    for _ in range(300):
        items = [0, 1, 2, 3]
        stream.shuffle(items)
        seen.add(tuple(items))
    assert len(seen) == 24


def test_nothing_is_drawn_where_nothing_is_random():
    caffe.set_random_seed(3)
    transformer(caffe_pb2.TEST, crop_size=3, scale=2)
    transformer(caffe_pb2.TRAIN, scale=2)
    assert new_seed() == first_seed()


def test_float_images_stay_float():
    image = np.array([[[0.25, -3]]], np.float32)
    np.testing.assert_array_equal(transformer(scale=2).apply(image, ""), [[[0.5, -6]]])


def test_a_datum_that_does_not_hold_what_it_says_is_named():
    datum = caffe_pb2.Datum(channels=3, height=2, width=2, data=b"12345")
    with pytest.raises(DataError, match=r"'key' of 'db' holds 5 bytes, .*3×2×2"):
        transformer().from_datum(datum, "'key' of 'db'")


def test_an_encoded_datum_that_cannot_be_decoded_is_named():
    datum = caffe_pb2.Datum(data=b"12345", encoded=True)
    with pytest.raises(DataError, match=r"Could not load 'key' of 'db': it is of no known format"):
        transformer().from_datum(datum, "'key' of 'db'")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"crop_size": 8}, r"'x' is 9×7 \(width×height\), crop_size is 8: datum_height >= crop_size does not hold"),
        ({"mean_value": [1, 2]}, r"2 mean_values for 3 channels \('x'\). Specify either 1 mean_value or as many"),
    ],
)
def test_images_that_do_not_fit_are_named(settings, words):
    with pytest.raises(DataError, match=words):
        transformer(**settings).apply(IMAGE, "'x'")


def test_a_mean_of_another_size_is_named(tmp_path):
    path = str(tmp_path / "mean.binaryproto")
    binaryproto.write(path, np.zeros((1, 3, 7, 8), np.float32))
    with pytest.raises(DataError, match=r"'x' is 3×7×9 \(channels×height×width\), the mean in '.*' is 3×7×8"):
        transformer(mean_file=path).apply(IMAGE, "'x'")


def test_two_means_are_refused():
    with pytest.raises(NetError, match="Cannot specify mean_file and mean_value at the same time"):
        transformer(mean_file="a", mean_value=[1])
