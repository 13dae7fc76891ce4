"""Training images come as squares: cut where the seed decides, filled up where they are smaller."""

import itertools

import numpy as np
import pytest

from fcn_caffe.data_layers.segdata import crops, order
from fcn_caffe.data_layers.voc_layers import VOCSegDataLayer
from tests.data_layers.driver import MEAN, Driver


@pytest.mark.parametrize(
    ("size", "side", "place", "corner"),
    [((6, 9), 4, (0.0, 0.0), (0, 0)), ((6, 9), 4, (0.999, 0.999), (2, 5)), ((6, 9), 4, (0.5, 0.5), (1, 3))],
)
def test_a_crop_is_a_part_of_the_image(size, side, place, corner):
    values = np.arange(2 * np.prod(size), dtype=np.float32).reshape(2, *size)
    top, left = corner
    found = crops.cut(values, side, place)
    assert (found == values[:, top : top + side, left : left + side]).all()


def test_every_place_is_possible_and_as_likely():
    places = itertools.islice(order.offsets(1337), 3000)
    tops = [int(crops.cut(np.arange(5.0).reshape(1, 5, 1), 2, place)[0, 0, 0]) for place in places]
    assert np.bincount(tops).min() > 650
    assert max(tops) == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_missing_of_a_label_is_void(dtype):
    found = crops.cut(np.ones((1, 2, 3), dtype), 4, (0.7, 0.7))
    assert (found[:, :2, :3] == 1).all()
    assert (found[:, 2:] == np.iinfo(dtype).max).all()
    assert (found[:, :, 3:] == np.iinfo(dtype).max).all()


def test_what_is_missing_of_an_image_is_the_mean():
    found = crops.cut(np.ones((3, 2, 9), np.float32), 4, (0.7, 0.7))
    assert (found[:, 2:] == 0).all()
    assert (found[:, :2] == 1).all()


def test_places_can_be_entered_anywhere():
    every = list(itertools.islice(order.offsets(5), 40))
    assert list(itertools.islice(order.offsets(5, 7, 3), 5)) == every[7:22:3]


@pytest.mark.parametrize("side", [4, 9])
def test_image_and_label_of_a_training_split_are_cut_alike(voc, side):
    plain, cut = (
        Driver(VOCSegDataLayer, voc_dir=str(voc), split="train", mean=MEAN, seed=1337, **more)
        for more in ({}, {"crop": side})
    )
    corners = set()
    for _ in range(10):
        whole, part = plain.forward(), cut.forward()
        assert [values.shape for values in part] == [(1, 3, side, side), (1, 1, side, side)]
        corners.add(_corner(whole, part, side))
    assert None not in corners
    assert len(corners) > 1


def test_other_splits_come_whole(voc):
    cut = Driver(VOCSegDataLayer, voc_dir=str(voc), split="val", mean=MEAN, crop=4)
    assert cut.forward()[0].shape[2:] == (8, 6)


def test_a_restored_layer_goes_on_with_the_same_crops(voc):
    one, other = (
        Driver(VOCSegDataLayer, voc_dir=str(voc), split="train", mean=MEAN, seed=7, crop=5, mirror=True) for _ in "ab"
    )
    one.indices(3)
    other.layer.set_state(one.layer.state())
    for values, others in zip(one.forward(), other.forward(), strict=True):
        assert (values == others).all()


def _corner(whole, part, side):
    """Where image and label have this window, filled up; None if nowhere."""
    down, right = (max(size - side, 0) for size in whole[0].shape[2:])
    for top, left in itertools.product(range(down + 1), range(right + 1)):
        windows = [values[0][:, top : top + side, left : left + side] for values in whole]
        short = [(0, 0), *((0, side - size) for size in windows[0].shape[1:])]
        filled = np.pad(windows[0], short), np.pad(windows[1], short, constant_values=255)
        if all((a == b[0]).all() for a, b in zip(filled, part, strict=True)):
            return top, left
    return None


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("mirror", [False, True])
def test_whole_images_come_on_a_square_in_training_and_in_scoring(voc, split, mirror):
    settings = {"voc_dir": str(voc), "mean": MEAN, "seed": 5, "mirror": mirror, "split": split}
    plain, filled = Driver(VOCSegDataLayer, **settings), Driver(VOCSegDataLayer, **settings, square=20)
    for _ in range(6):
        for whole, square in zip(plain.forward(), filled.forward(), strict=True):
            height, width = whole.shape[2:]
            assert square.shape[2:] == (20, 20)
            kept = any((part == whole).all() for part in (square[..., :height, :width], square[..., :height, -width:]))
            assert kept
            assert square.sum() == pytest.approx(
                whole.sum() + (255 * (400 - height * width) if whole.shape[1] == 1 else 0), rel=1e-4
            )


def test_an_image_that_is_larger_than_the_square_is_named(voc):
    layer = Driver(VOCSegDataLayer, voc_dir=str(voc), mean=MEAN, split="val", square=12, prefetch=0)
    with pytest.raises(ValueError, match=r"image '.' of split .*more than the square of 12"):
        [layer.forward() for _ in range(5)]
