"""Training images at other sizes and in other colours, and batches of several sizes filled up with void."""

import itertools

import numpy as np
import pytest

from fcn_caffe.data_layers.segdata import augment, order
from fcn_caffe.data_layers.voc_layers import VOCSegDataLayer
from tests.data_layers.driver import MEAN, Driver


def driver(voc, split="train", **more):
    return Driver(VOCSegDataLayer, voc_dir=str(voc), split=split, mean=MEAN, seed=1337, **more)


def test_factors_lie_between_the_limits_and_halving_is_as_likely_as_doubling():
    found = [augment.factor((0.5, 2), chance) for chance in (0, 0.5, 0.999999)]
    np.testing.assert_allclose(found, [0.5, 1, 2], rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_scaled_labels_have_no_new_values(dtype):
    label = np.array([[[0, 7], [np.iinfo(dtype).max, 7]]], dtype)
    found = augment.scaled(label, 3.0)
    assert found.shape == (1, 6, 6)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[0, ::3, ::3], label[0])
    assert set(np.unique(found)) == set(np.unique(label))


def test_a_scaled_image_keeps_its_mean_and_its_edges():
    image = np.random.default_rng(0).normal(100, 5, (3, 40, 60)).astype(np.float32)
    image[:, :, 30:] -= 150
    found = augment.scaled(image, 0.5)
    assert found.shape == (3, 20, 30)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean((1, 2)), image.mean((1, 2)), atol=1)
    assert (found[:, :, :14] > 80).all()
    assert (found[:, :, 16:] < -30).all()


def test_colours_stay_where_chances_are_even():
    image = np.random.default_rng(0).uniform(-100, 100, (3, 5, 6)).astype(np.float32)
    np.testing.assert_allclose(augment.coloured(image, 1.0, (0.5, 0.5, 0.5)), image, atol=1e-4)


@pytest.mark.parametrize(
    ("chances", "of", "expected"),
    [
        ((0.75, 0.5, 0.5), lambda image: image.mean(), 0.1 + 0.5 * augment.BRIGHTER * 0.5),
        ((0.5, 0.75, 0.5), lambda image: image.std(), 1.25),
        ((0.5, 0.5, 0.0), lambda image: image.std(0).max(), 0.5),
    ],
    ids=["brightness", "contrast", "saturation"],
)
def test_each_chance_changes_its_own(chances, of, expected):
    image = np.random.default_rng(0).normal(size=(3, 50, 60)).astype(np.float32)
    found = augment.coloured(image, 0.5, chances)
    before, after = of(image), of(found)
    if chances[0] != 0.5:
        assert after - before == pytest.approx(augment.BRIGHTER * 0.25, rel=1e-4)
    else:
        assert after / before == pytest.approx(expected, rel=0.02)


def test_image_and_label_are_scaled_alike(voc):
    sizes = set()
    scaled = driver(voc, scale=(0.5, 2.0))
    for _ in range(8):
        data, label = scaled.forward()
        assert data.shape[2:] == label.shape[2:]
        sizes.add(data.shape[2:])
    assert len(sizes) > 3


def test_only_images_change_colour(voc):
    plain, changed = driver(voc), driver(voc, colour=0.5)
    for _ in range(4):
        (data, label), (other, same) = plain.forward(), changed.forward()
        assert not np.allclose(data, other)
        np.testing.assert_array_equal(label, same)


def test_a_batch_is_the_next_images_filled_up_with_the_mean_and_void(voc):
    one, three = driver(voc), driver(voc, batch=3)
    for _ in range(3):
        singles = [[values.copy() for values in one.forward()] for _ in range(3)]
        data, label = three.forward()
        height, width = (max(single[0].shape[axis] for single in singles) for axis in (2, 3))
        assert data.shape == (3, 3, height, width)
        assert label.shape == (3, 1, height, width)
        for item, (image, truth) in enumerate(singles):
            inside = (item, slice(None), slice(image.shape[2]), slice(image.shape[3]))
            np.testing.assert_array_equal(data[inside], image[0])
            np.testing.assert_array_equal(label[inside], truth[0])
            outside = np.ones((height, width), bool)
            outside[: image.shape[2], : image.shape[3]] = False
            assert (data[item][:, outside] == 0).all()
            assert (label[item][:, outside] == 255).all()


def test_images_to_score_come_one_by_one_as_they_are(voc):
    plain, other = driver(voc, "val"), driver(voc, "val", batch=3, scale=(0.5, 2), colour=1, crop=4)
    for _ in range(3):
        for values, same in zip(plain.forward(), other.forward(), strict=True):
            np.testing.assert_array_equal(values, same)


def test_a_restored_layer_goes_on_with_the_same_changes(voc):
    settings = {"batch": 2, "scale": (0.5, 2), "colour": 0.5, "crop": 5, "mirror": True}
    first, second = driver(voc, **settings), driver(voc, **settings)
    for _ in range(3):
        first.forward()
    second.layer.set_state(first.layer.state())
    for _ in range(3):
        for values, same in zip(first.forward(), second.forward(), strict=True):
            np.testing.assert_array_equal(values, same)


def test_a_position_of_other_batches_is_refused(voc):
    state = driver(voc, batch=2).layer.state()
    with pytest.raises(ValueError, match="belongs to batch 2, this layer has 1"):
        driver(voc).layer.set_state(state)
    state = driver(voc).layer.state()
    del state["batch"]  # as states of before have none
    driver(voc).layer.set_state(state)


def test_changes_can_be_entered_anywhere():
    every = list(itertools.islice(order.augmentations(5, 4), 40))
    assert list(itertools.islice(order.augmentations(5, 4, 7, 3), 5)) == every[7:22:3]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scale": (2, 0.5)}, r"expected two factors, the smaller first"),
        ({"scale": 2}, "scale is 2, expected two numbers"),
        ({"scale": (0.001, 1)}, "from 0.1 to 10"),
        ({"colour": 1.5}, "colour is 1.5, expected a number from 0 to 1"),
        ({"colour": "much"}, "expected a number"),
        ({"batch": 0}, "batch is 0, expected a whole number of at least 1"),
        ({"batch": 10**9}, "expected at most 1024"),
    ],
)
def test_settings_that_cannot_be_are_refused(voc, settings, words):
    with pytest.raises(ValueError, match=words):
        driver(voc, **settings)
