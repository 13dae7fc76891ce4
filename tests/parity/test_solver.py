"""Training here and in real Caffe: the same trajectories, log lines and snapshots."""

import numpy as np
import pytest

from tests.parity import bvlc
from tests.parity import solver as parity
from tests.solver import logged, odd_settings, trajectories

MODULES = ["tests/solver/__init__.py", "tests/solver/trajectories.py"]
SETTINGS = {
    "SGD": 'type: "SGD" lr_policy: "fixed" base_lr: 0.1 momentum: 0.9 weight_decay: 0.01',
    "Adam, multistep": 'type: "Adam" lr_policy: "multistep" stepvalue: 2 stepvalue: 9 gamma: 0.5 base_lr: 0.05',
    "AdaDelta, HDF5": 'type: "AdaDelta" lr_policy: "fixed" base_lr: 1 momentum: 0.9 delta: 1e-6 snapshot_format: HDF5',
}


def same(found, expected):
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-4, atol=1e-5 * abs(values).max(), err_msg=key)


def in_bvlc(function, settings, folder):
    (result,) = bvlc.run_tasks([bvlc.Task("tests.solver.trajectories", function, settings, folder)], copy=MODULES)
    assert not isinstance(result, bvlc.Refused), result.words
    return result


def test_trajectories():
    found = trajectories.run(trajectories.cases())
    same(found, parity.run_in_bvlc(trajectories.cases()))


def test_odd_settings_that_are_not_refused_train_as_there():
    cases = {}
    for odd in [*odd_settings.TRAINS, *odd_settings.WARNED]:
        if "max_iter" not in odd:
            usual = {"lr_policy": '"fixed"', "base_lr": "0.1"}
            cases[odd] = " ".join([odd, *(f"{name}: {value}" for name, value in usual.items() if name not in odd)])
    same(trajectories.run(cases), parity.run_in_bvlc(cases))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_snapshot_of_real_caffe_is_resumed_here(settings, tmp_path, monkeypatch):
    expected = in_bvlc("save_and_go_on", settings, tmp_path)
    monkeypatch.chdir(tmp_path)
    same(trajectories.resume(settings), expected)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_snapshot_from_here_is_resumed_in_real_caffe(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = trajectories.save_and_go_on(settings)
    same(in_bvlc("resume", settings, tmp_path), expected)


@pytest.mark.parametrize("more", ["", "debug_info: true", "test_initialization: false random_seed: 1"])
def test_log_lines(more, tmp_path):
    expected = parity.logged_in_bvlc(tmp_path, more)
    logged.assert_same(logged.lines(logged.train(tmp_path)), expected)
