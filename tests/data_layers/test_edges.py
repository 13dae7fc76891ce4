"""Edges of labels and their balanced loss, against forms written element by element."""

import math

import numpy as np
import pytest

from fcn_caffe.data_layers import edge_layers
from tests.data_layers.driver import loss_and_gradient

RNG = np.random.default_rng(9)


@pytest.mark.parametrize("size", [(1, 1, 4, 5), (2, 1, 3, 3), (1, 1, 1, 6), (1, 1, 1, 1)])
def test_an_edge_is_where_the_next_pixel_right_or_below_is_of_another_class(size):
    labels = RNG.choice([0, 1, 2, 255], size=size)
    found = edge_layers.edges(labels)
    for item, _, row, column in np.ndindex(*size):
        here = labels[item, 0, row, column]
        beside = [
            labels[item, 0, r, c] for r, c in ((row, column + 1), (row + 1, column)) if r < size[2] and c < size[3]
        ]
        other = any(each not in (here, 255) for each in beside)
        assert found[item, 0, row, column] == (255 if here == 255 else other)


def test_no_edge_lies_along_void():
    assert edge_layers.edges(np.array([[0, 0, 255, 1, 1]])).tolist() == [[0, 0, 255, 0, 0]]


def run(scores, truth):
    return loss_and_gradient(edge_layers.BalancedSigmoidLossLayer, scores, truth)


def loss_of(scores, truth):
    total = 0.0
    for y, edges in zip(scores, truth, strict=True):
        positive, negative = int((edges == 1).sum()), int((edges == 0).sum())
        beta = negative / (positive + negative) if positive + negative else 0
        for score, edge in zip(y.reshape(-1), edges.reshape(-1), strict=True):
            probability = 1 / (1 + math.exp(-score))
            if edge == 1:
                total -= beta * math.log(probability)
            elif edge == 0:
                total -= (1 - beta) * math.log(1 - probability)
    return total / len(scores)


@pytest.mark.parametrize(
    ("size", "values"),
    [((1, 1, 4, 5), [0, 1]), ((3, 1, 3, 4), [0, 0, 0, 1, 255]), ((2, 1, 2, 6), [0, 255]), ((1, 1, 3, 3), [1, 255])],
)
def test_the_loss_is_balanced_and_its_gradient_is_too(size, values):
    scores, truth = 3 * RNG.normal(size=size), RNG.choice(values, size=size).astype(float)
    found, gradient = run(scores, truth)
    assert found == pytest.approx(loss_of(scores, truth), rel=1e-6, abs=1e-12)
    expected = np.zeros(size)
    for index in np.ndindex(size):
        ends = []
        for sign in (1, -1):
            moved = scores.copy()
            moved[index] += sign * 1e-5
            ends.append(loss_of(moved, truth))
        expected[index] = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert not gradient[truth == 255].any()


def test_very_sure_scores_have_a_finite_loss():
    found, gradient = run(np.array([[[[800.0, -800.0]]]]), np.array([[[[0.0, 1.0]]]]))
    assert found == pytest.approx(800)
    assert np.isfinite(gradient).all()


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match="expected one shape. Crop the scores"):
        run(np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 4, 5)))
