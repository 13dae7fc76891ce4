"""The losses of tags run in BVLC Caffe, and give the same numbers there."""

import sys

import numpy as np
import pytest

from tests.parity import bvlc, tag_losses


@pytest.mark.parametrize("name", tag_losses.LAYERS)
def test_losses_of_tags_are_the_same_in_real_caffe(name, tmp_path, monkeypatch):
    task = bvlc.Task("tests.parity.tag_losses", "loss_and_gradient", name, tmp_path, seconds=120)
    (there,) = bvlc.run_tasks([task], copy=["fcn_caffe", "data_layers"])
    assert not isinstance(there, bvlc.Refused), there.words
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHECKOUT", str(bvlc.ROOT))
    monkeypatch.setattr(sys, "path", list(sys.path))
    here = tag_losses.loss_and_gradient(name)
    assert here["loss"].shape == there["loss"].shape == (1,)
    for key, values in here.items():
        np.testing.assert_allclose(values, there[key], rtol=1e-5, atol=1e-7)
    assert np.abs(here["gradient"]).max() > 1e-4
