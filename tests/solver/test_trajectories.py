"""Every solver with every learning-rate policy, decay, clipping and iter_size goes the way it goes in real Caffe."""

import numpy as np
import pytest

from tests.parity import solver as recorded
from tests.solver import trajectories

CASES = trajectories.cases()


@pytest.fixture(scope="module")
def recordings():
    return recorded.read()


def test_every_case_is_recorded(recordings):
    assert recordings.keys() == CASES.keys(), "run: python -m tests.parity.solver"


@pytest.mark.parametrize("case", CASES)
def test_trajectory(case, recordings):
    found = trajectories.run({case: CASES[case]})
    for key, expected in recordings[case].items():
        values = found[f"{case}/{key}"]
        if key != "losses":
            values = trajectories.projected(values)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5 * abs(expected).max(), err_msg=key)
