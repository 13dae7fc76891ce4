"""Labels of boxes: rectangles, and what a CRF finds in them."""

import numpy as np
import pytest

from fcn_caffe.boxes import box, labels
from fcn_caffe.boxes.box import ObjectBox
from fcn_caffe.scoring import metrics

RNG = np.random.default_rng(8)


def disc(height, width, y, x, radius):
    rows, columns = np.ogrid[:height, :width]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def scene(objects, height=60, width=90):
    """A picture with discs of colours on gray, their mask, and noise."""
    picture, mask = np.full((height, width, 3), 120.0), np.zeros((height, width), np.uint8)
    for cls, y, x, radius, colour in objects:
        where = disc(height, width, y, x, radius)
        picture[where], mask[where] = colour, cls
    return np.clip(picture + RNG.normal(0, 6, picture.shape), 0, 255).astype(np.uint8), mask


def test_the_smaller_rectangle_lies_over_the_larger():
    label = labels.rectangles([ObjectBox(3, 2, 2, 4, 4), ObjectBox(1, 0, 0, 6, 5)], (6, 8))
    assert label[3, 3] == 3
    assert label[0, 0] == label[4, 5] == 1
    assert label[5, 0] == label[0, 6] == 0


SCENES = [
    [(1, 30, 45, 20, (200, 60, 40))],
    [(2, 20, 20, 15, (30, 160, 60)), (5, 40, 65, 17, (30, 60, 190))],
    [(4, 25, 25, 18, (230, 210, 40)), (4, 35, 66, 16, (200, 60, 40))],
]


@pytest.mark.parametrize("objects", SCENES)
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_objects_of_another_colour_are_found_in_their_boxes(objects, scale):
    picture, mask = scene(objects)
    boxes = box.of_mask(mask)
    settings = labels.BoxSettings(scale=scale)
    found, filled = labels.refined(picture, boxes, settings), labels.rectangles(boxes, mask.shape)
    right, before = (metrics.scores(metrics.confusion(mask, each, 6)) for each in (found, filled))
    assert right.pixel_accuracy > 0.97
    assert right.mean_iu > before.mean_iu + 0.05


@pytest.mark.parametrize("kind", ["rectangles", "crf"])
def test_nothing_is_labelled_outside_of_the_boxes(kind):
    picture, mask = scene(SCENES[1])
    boxes = [ObjectBox(2, 10, 10, 31, 33), ObjectBox(7, 50, 20, 71, 41)]
    label = labels.of_boxes(picture, boxes, kind)
    outside = np.ones(mask.shape, bool)
    for each in boxes:
        outside[each.inside] = False
    assert not label[outside].any()
    assert set(np.unique(label)) <= {0, 2, 7}


@pytest.mark.parametrize("kind", ["rectangles", "crf", "chosen"])
def test_every_box_has_a_label_however_small_it_is(kind):
    picture = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    boxes = [ObjectBox(1, 0, 0, 1, 1), ObjectBox(2, 39, 29, 40, 30), ObjectBox(3, 5, 7, 30, 8)]
    scores = {cls: np.zeros((30, 40)) - cls for cls in range(4)}
    label = labels.of_boxes(picture, boxes, kind, scores=scores)
    assert {1, 2, 3} <= set(np.unique(label))


@pytest.mark.parametrize("kind", ["rectangles", "crf"])
def test_a_small_box_in_the_middle_of_a_large_object_is_not_lost(kind):
    picture = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    boxes = [ObjectBox(1, 2, 2, 58, 58), ObjectBox(2, 20, 20, 40, 40), ObjectBox(3, 28, 28, 33, 33)]
    assert {1, 2, 3} <= set(np.unique(labels.of_boxes(picture, boxes, kind)))


def test_without_boxes_all_is_background():
    picture = np.zeros((5, 6, 3), np.uint8)
    for kind in labels.KINDS:
        assert not labels.of_boxes(picture, [], kind, scores={}).any()


def test_what_lies_in_the_box_of_another_class_is_void():
    picture, mask = scene(SCENES[1])
    boxes = box.of_mask(mask)
    label = labels.of_boxes(picture, boxes, "rectangles", classes=[0, 2])
    (other,) = (each for each in boxes if each.cls == 5)
    assert (label[other.inside] == 255).all()
    assert set(np.unique(label)) == {0, 2, 255}


@pytest.mark.parametrize("side", [slice(0, 30), slice(30, 60)])
def test_scores_of_a_net_choose_which_colour_is_the_object(side):
    picture = np.full((40, 60, 3), (200, 40, 30), np.uint8)
    picture[:, 30:] = (30, 60, 190)
    chosen = np.zeros((40, 60), bool)
    chosen[:, side] = True
    scores = {0: np.where(chosen, -1.0, 1.0), 4: np.where(chosen, 1.0, -1.0)}
    label = labels.of_boxes(picture, [ObjectBox(4, 5, 5, 55, 36)], "chosen", scores=scores)
    inside = np.zeros((40, 60), bool)
    inside[5:36, 5:55] = True
    assert ((label == 4) == (inside & chosen)).mean() > 0.97
