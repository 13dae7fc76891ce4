"""The scale-invariant loss of depth, against its definition written pixel by pixel."""

import math

import numpy as np
import pytest

from fcn_caffe.data_layers.depth_layers import ScaleInvariantLossLayer
from tests.data_layers.driver import loss_and_gradient

RNG = np.random.default_rng(4)


def run(predicted, depth, param_str=""):
    return loss_and_gradient(ScaleInvariantLossLayer, predicted, depth, param_str)


def pairs_loss(predicted, depth, share):
    """Eigen's equation 3: the loss of logarithms, and the mean over pairs of pixels of how differently they are off."""
    total = 0.0
    for ys, truths in zip(predicted, depth, strict=True):
        d = [y - math.log(t) for y, t in zip(ys.flat, truths.flat, strict=True) if math.isfinite(t) and t > 0]
        if not d:
            continue
        squares = sum(each**2 for each in d) / len(d)
        pairs = sum((one - other) ** 2 for one in d for other in d) / (2 * len(d) ** 2)
        total += (1 - share) * squares + share * pairs
    return total / len(predicted)


def drawn(size, holes):
    depth = np.exp(RNG.normal(size=size))
    depth[RNG.random(size) < holes] = 0
    return RNG.normal(size=size), depth


CASES = [((1, 1, 4, 5), 0.3, 0.5), ((3, 1, 3, 2), 0.5, 0.0), ((2, 1, 1, 6), 0.0, 1.0), ((1, 1, 1, 1), 0.0, 0.25)]


@pytest.mark.parametrize(("size", "holes", "share"), CASES)
def test_it_is_a_mean_of_squares_and_of_differences_between_pixels(size, holes, share):
    predicted, depth = drawn(size, holes)
    loss, _ = run(predicted, depth, f"{{'lambda': {share}}}")
    assert loss == pytest.approx(pairs_loss(predicted, depth, share), rel=1e-5)


@pytest.mark.parametrize(("size", "holes", "share"), CASES)
def test_its_gradient_is_that_of_small_steps(size, holes, share):
    predicted, depth = drawn(size, holes)
    _, gradient = run(predicted, depth, f"{{'lambda': {share}}}")
    for index in np.ndindex(size):
        ends = []
        for step in (1e-5, -1e-5):
            moved = predicted.copy()
            moved[index] += step
            ends.append(pairs_loss(moved, depth, share))
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_half_is_the_default():
    predicted, depth = drawn((1, 1, 3, 4), 0.2)
    assert run(predicted, depth)[0] == run(predicted, depth, "{'lambda': 0.5}")[0]


@pytest.mark.parametrize("void", [0.0, -1.0, np.nan, np.inf])
def test_pixels_without_depth_count_nowhere(void):
    predicted, depth = drawn((1, 1, 3, 4), 0)
    depth[0, 0, 1, :2] = void
    loss, gradient = run(predicted, depth)
    predicted[0, 0, 1, :2] = 100
    assert run(predicted, depth)[0] == pytest.approx(loss)
    assert not gradient[0, 0, 1, :2].any()
    assert gradient[0, 0, 0].all()


def test_an_image_without_any_depth_has_no_loss():
    loss, gradient = run(np.ones((1, 1, 2, 3)), np.zeros((1, 1, 2, 3)))
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("factor", [0.1, 3.0, 40.0])
def test_with_lambda_1_no_scale_of_the_prediction_changes_it(factor):
    predicted, depth = drawn((1, 1, 4, 4), 0.2)
    one, other = (run(predicted + shift, depth, "{'lambda': 1}")[0] for shift in (0, math.log(factor)))
    assert other == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize(
    ("param_str", "words"),
    [("{'lambda': 2}", "lambda is 2, expected a number from 0 to 1"), ("{'lamda': 1}", "did you mean 'lambda'")],
)
def test_wrong_settings_are_refused(param_str, words):
    with pytest.raises(ValueError, match=words):
        run(np.ones((1, 1, 2, 3)), np.ones((1, 1, 2, 3)), param_str)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected one shape"):
        run(np.ones((1, 1, 2, 3)), np.ones((1, 1, 3, 3)))
