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


def test_every_setting_is_met():
    for setting in [*trajectories.DECAYS, *trajectories.CLIPS, *trajectories.SIZES]:
        for solver in trajectories.SOLVERS:
            assert any(name.startswith(solver) and setting in name.split(", ") for name in CASES)


@pytest.mark.parametrize("case", CASES)
def test_trajectory(case, recordings):
    found = trajectories.run({case: CASES[case]})
    for key, expected in recordings[case].items():
        np.testing.assert_allclose(
            found[f"{case}/{key}"], expected, rtol=1e-4, atol=1e-5 * abs(expected).max(), err_msg=key
        )
