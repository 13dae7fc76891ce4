"""What bounds cost, on labels of which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from analyses import ccnn_bounds
from fcn_caffe.data_layers.segdata.constraints import ConstraintSettings as bounded
from fcn_caffe.net_spec.catalogue import ROWS


@pytest.mark.parametrize(("size", "cell"), [((6, 8), 2), ((5, 7), 3), ((4, 4), 16)])
def test_cells_have_the_shares_of_their_pixels(size, cell):
    label = np.random.default_rng(1).choice(np.array([0, 1, 2, 255], np.uint8), size)
    found, expected = ccnn_bounds.cells(label, 3, cell), []
    for top in range(0, size[0], cell):
        for left in range(0, size[1], cell):
            part = label[top : top + cell, left : left + cell]
            counts = np.array([(part == cls).sum() for cls in range(3)])
            if counts.sum():
                expected.append(counts / counts.sum())
    np.testing.assert_allclose(found.T, expected)


def shares(background):
    """Ten cells, of which so many are background, and the others class 1."""
    truth = np.zeros((3, 10))
    truth[0, :background], truth[1, background:] = 1, 1
    return truth


@pytest.mark.parametrize("background", [3, 5, 7])
def test_bounds_that_are_kept_cost_nothing(background):
    within = ccnn_bounds.on_truth(shares(background), bounded())
    assert within == pytest.approx(ccnn_bounds.on_truth(shares(background), bounded(background=(0, 1))), abs=1e-3)


@pytest.mark.parametrize("background", [8, 9])
def test_bounds_that_are_false_take_probability_from_the_truth(background):
    """At least what must go from the background to the other class."""
    free = ccnn_bounds.on_truth(shares(background), bounded(background=(0, 1)))
    bound = ccnn_bounds.on_truth(shares(background), bounded())
    assert free - bound >= background / 10 - 0.7 - 0.05
    assert ccnn_bounds.on_truth(shares(background), bounded(background=(0, 0.95))) == pytest.approx(free, abs=1e-3)


def test_trainings_differ_in_their_bounds_alone():
    row = ROWS["voc7-ccnn"]
    made = ccnn_bounds.trials(row, 3)
    assert [trial.row.settings["background"] for trial in made] == list(ccnn_bounds.BOUNDS.values())
    assert {trial.updates for trial in made} == {3}
    assert all(replace(trial.row, settings=row.settings) == row for trial in made)


def test_the_table_tells_images_apart_by_their_background():
    lines = ccnn_bounds.table({"paper": [0.9, 0.7, 0.5]}, [0.5, 0.2, 0.9]).splitlines()
    assert lines[0].split() == ["bounds", "all", "(3)", "kept", "(1)", "less", "(1)", "more", "(1)"]
    assert lines[1].split() == ["paper", "0.7000", "0.9000", "0.7000", "0.5000"]
