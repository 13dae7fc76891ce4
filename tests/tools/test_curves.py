"""The losses of a training as they are read for pictures."""

import numpy as np
import pytest

from fcn_caffe.training import score_history
from fcn_caffe.training.curves import read_losses


@pytest.fixture
def losses(empty):
    path = empty / "snapshot/mine/loss.csv"
    path.parent.mkdir(parents=True)
    return path


def test_losses_are_read_by_iteration(losses):
    losses.write_text("iteration,loss,loss_per_pixel\r\n0,9,0.5\r\n1,8,0.25\r\n")
    np.testing.assert_array_equal(read_losses("mine"), [[0, 1], [0.5, 0.25]])


def test_missing_columns_are_named(losses):
    losses.write_text("iteration,loss\r\n0,9\r\n")
    with pytest.raises(ValueError, match=r"loss\.csv':1 names no column loss_per_pixel, expected"):
        read_losses("mine")


@pytest.mark.parametrize("line", ["2", "x,7,0.1", "2,7,x", "9" * 5000 + ",7,0.1", "2,7,\xe9", "2,7," + "1" * 200_000])
def test_a_damaged_line_is_named(losses, line):
    losses.write_text(f"iteration,loss,loss_per_pixel\r\n0,9,0.5\r\n{line}\r\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"loss\.csv':\d holds no losses of a training"):
        read_losses("mine")


def test_an_axis_names_what_its_scores_measure():
    assert score_history.quality_name([]) == "mean IU"
    assert score_history.quality_name([{"iteration": 5, "label": {"mean_iu": 0.5}}]) == "mean IU"
    assert score_history.quality_name([{"iteration": 5, "label": {"delta1": 0.5}}]) == "δ < 1.25"
