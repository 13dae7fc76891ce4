"""Losses that are Python layers run in BVLC Caffe, and give the same numbers there."""

import sys

import numpy as np
import pytest

from tests.parity import bvlc, python_losses

CASES = [
    *(("loss_and_gradient", name) for name in python_losses.LAYERS),
    ("edges", ""),
    ("depth", ""),
    ("depth", "{'lambda': 1}"),
]


@pytest.mark.parametrize(("function", "name"), CASES)
def test_losses_are_the_same_in_real_caffe(function, name, tmp_path, monkeypatch):
    task = bvlc.Task("tests.parity.python_losses", function, name, tmp_path, seconds=120)
    (there,) = bvlc.run_tasks([task], copy=["fcn_caffe", "data_layers"])
    assert not isinstance(there, bvlc.Refused), there.words
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHECKOUT", str(bvlc.ROOT))
    monkeypatch.setattr(sys, "path", list(sys.path))
    here = getattr(python_losses, function)(name)
    assert here["loss"].shape == there["loss"].shape == (1,)
    for key, values in here.items():
        np.testing.assert_allclose(values, there[key], rtol=1e-5, atol=1e-7)
    assert np.abs(here["gradient"]).max() > 1e-4
