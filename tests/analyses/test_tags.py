"""What a net knows that learns from tags, on probabilities of which the answer is known, and of nets."""

import itertools

import numpy as np
import pytest

from analyses import tags


def test_a_class_is_recognized_by_its_mean_probability_and_not_by_its_peak():
    probabilities = np.zeros((3, 1, 4))
    probabilities[1], probabilities[2] = [0.4, 0.4, 0.4, 0.0], [0.0, 0.0, 0.0, 0.9]
    assert tags.recognized(probabilities, np.array([[0, 0, 1, 255]]))
    assert not tags.recognized(probabilities, np.array([[0, 0, 2, 255]]))
    assert tags.recognized(probabilities, np.array([[1, 2, 1, 1]]))
    assert tags.recognized(probabilities, np.array([[0, 255, 0, 0]])) is None


@pytest.mark.parametrize("seed", range(4))
def test_found_is_the_share_of_pairs_in_the_right_order(seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.integers(0, 5, (2, 6, 7)) / 5
    label = rng.choice([0, 1, 2, 255], (6, 7))
    pairs = [
        1.0 if near < far else 0.5 if near == far else 0.0
        for near, far in itertools.product(probabilities[0][(label == 1) | (label == 2)], probabilities[0][label == 0])
    ]
    assert tags.found(probabilities, label) == pytest.approx(np.mean(pairs))


def test_nothing_can_be_found_without_foreground_or_background():
    probabilities = np.full((2, 1, 3), 0.5)
    assert tags.found(probabilities, np.array([[0, 0, 255]])) is None
    assert tags.found(probabilities, np.array([[1, 1, 255]])) is None


def test_the_table_tells_of_trained_weights_and_of_a_file(trained, capsys):
    (model,) = sorted(trained.glob("snapshot/demo-fcn32s/*.caffemodel"))[-1:]
    assert tags.main(["demo-fcn32s", "newest", str(model)]) == 0
    newest, named = (line.split()[-4:] for line in capsys.readouterr().out.splitlines()[-2:])
    assert newest == named
    assert all(0 <= float(value) <= 1 for value in newest)


def test_weights_that_are_not_there_are_told(trained, capsys):
    assert tags.main(["demo-fcn32s", "nowhere.caffemodel"]) == 1
    assert "nowhere.caffemodel" in capsys.readouterr().err
