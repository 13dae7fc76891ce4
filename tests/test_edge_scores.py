"""Edge maps: what is thinned, matched, and counted."""

import numpy as np
import pytest

from fcn_caffe.scoring import edges


def line(height=30, width=40, column=20):
    truth = np.zeros((height, width), np.uint8)
    truth[:, column] = 1
    return truth


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 120])
def test_thinning_leaves_the_ridge_and_nothing_beside_it(angle):
    rows, columns = np.mgrid[-20:21, -20:21].astype(float)
    radians = np.deg2rad(angle)
    distance = np.cos(radians) * columns + np.sin(radians) * rows
    thinned = edges.thin(np.exp(-(distance**2) / 8))
    inside = np.s_[5:-5, 5:-5]
    assert np.abs(distance[inside][thinned[inside] > 0.1]).max() <= 1
    assert (thinned[inside] > 0.1).sum() >= 28


@pytest.mark.parametrize("operator", [edges.sobel, edges.canny])
@pytest.mark.parametrize("turned", [False, True])
def test_operators_find_a_step_where_it_is(operator, turned):
    image = np.zeros((40, 50, 3))
    image[:, 25:] = [10, 100, 30]
    if turned:
        image = image.transpose(1, 0, 2)
    found = operator(image)
    found = found.T if turned else found
    rows, columns = np.nonzero(found > 0.5)
    assert set(columns) <= {24, 25}
    assert set(range(3, 37)) <= set(rows)


def test_canny_keeps_weak_edges_that_hang_on_strong_ones():
    image = np.zeros((60, 60, 1))
    image[:30, 30:], image[30:, 30:] = 100, 55
    lone = np.zeros((60, 60, 1))
    lone[:, 30:] = 55
    hanging = edges.canny(image)[45, 28:32].max()
    assert hanging > 0.8
    assert edges.canny(np.concatenate([image[:30], np.zeros((30, 60, 1)), lone], 0))[-10, 28:32].max() < 0.8


def test_counts_match_within_the_tolerance_and_not_beyond_it():
    truth = line()
    for shift, right in ((0, 30), (2, 30), (3, 0)):
        predicted = np.roll(truth, shift, 1).astype(float)
        counted = edges.counts(predicted, truth, 2.5 / 50)
        assert (counted[:, 0] == right).all()
        assert (counted[:, 1] == 30).all()
        assert (counted[:, 2] == right).all()
        assert (counted[:, 3] == 30).all()


def test_void_counts_nowhere():
    truth, strength = line(), np.ones((30, 40))
    truth[:, 25:] = 255
    counted = edges.counts(strength, truth, 0.02)
    assert (counted[:, 1] == 30 * 25).all()


def test_a_perfect_map_scores_one_and_an_empty_one_nothing():
    truth = line()
    perfect = edges.summary([edges.counts(truth * 0.9, truth)])
    assert (perfect.ods, perfect.ois, perfect.ap) == pytest.approx((1, 1, 1))
    empty = edges.summary([edges.counts(np.zeros((30, 40)), truth)])
    assert (empty.ods, empty.ois, empty.ap) == pytest.approx((0, 0, 0))


def test_ois_may_choose_a_threshold_for_each_image():
    """The first needs a threshold above .5, the second one below .2."""
    truth, noise = line(), np.zeros((30, 40))
    noise[:, 5] = 0.5
    strong, weak = np.maximum(noise, truth * 0.9), truth * 0.2
    found = edges.summary([edges.counts(each, truth) for each in (strong, weak)])
    assert found.ois == pytest.approx(1)
    assert found.ods == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))


def test_an_image_without_a_true_edge_does_not_spoil_ois():
    truth, noise = line(), np.full((30, 40), 0.3)
    images = [edges.counts(truth * 0.8, truth), edges.counts(noise, np.zeros((30, 40)))]
    found = edges.summary(images)
    assert found.ods == pytest.approx(1)
    assert found.ois == pytest.approx(1)


def test_ap_is_the_area_of_the_steps():
    """Half of the edge at .9 without an error, all of it at .3 beside as many wrong pixels."""
    truth, strength = line(), np.zeros((30, 40))
    strength[:15, 20], strength[15:, 20], strength[:, 5] = 0.9, 0.3, 0.3
    assert edges.summary([edges.counts(strength, truth, 0)]).ap == pytest.approx(0.5 * 1 + 0.5 * 0.5)


def test_images_without_an_edge_are_told():
    with pytest.raises(ValueError, match="no image has a true edge"):
        edges.summary([edges.counts(np.zeros((4, 5)), np.zeros((4, 5)))])
