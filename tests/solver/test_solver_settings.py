"""Settings that end BVLC Caffe, or spoil the weights there in silence, are refused when the solver is built.

All others train as there: `python -m pytest tests/parity/test_solver.py` compares these very settings.
"""

import numpy as np
import pytest

from caffe.errors import CaffeError, FormatError, NetError
from tests.solver.odd_settings import REFUSED, TRAINS, WARNED


@pytest.mark.parametrize(("settings", "field"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_train_is_refused_by_its_field_before_the_net_is_built(settings, field, make, lines):
    with pytest.raises(NetError, match=f"^solver: {field}"):
        make(settings)
    assert not any("Creating training net" in line for line in lines)


def test_a_snapshot_prefix_is_a_path(make):
    with pytest.raises(FormatError, match="^solver: snapshot_prefix is 'a.x00b': no path has a zero byte"):
        make(r"snapshot_prefix: 'a\000b'")


@pytest.mark.parametrize("settings", TRAINS)
def test_what_bvlc_caffe_trains_with_trains_here(settings, make, lines):
    solver = make(settings)
    solver.step(3)
    assert all(np.isfinite(blob.data).all() for blobs in solver.net.params.values() for blob in blobs)
    assert not any(line.startswith("solver: ") for line in lines)


@pytest.mark.parametrize(("settings", "words"), WARNED.items(), ids=WARNED)
def test_what_is_hardly_meant_is_warned_of(settings, words, make, lines):
    make(settings).step(3)
    assert [line for line in lines if line.startswith("solver: ")] == [f"solver: {words}"]


def test_a_solver_without_lr_policy_can_be_made_for_its_net_and_not_train(make):
    solver = make("momentum: 0.9")
    solver.param.ClearField("lr_policy")
    before = solver.net.params["score"][0].data.copy()
    with pytest.raises(
        NetError, match="lr_policy: Unknown learning rate policy: . Set lr_policy to one of fixed, step"
    ):
        solver.step(1)
    assert (solver.net.params["score"][0].data == before).all()
    assert solver.iter == 0


@pytest.mark.parametrize(("field", "value"), [("iter_size", 0), ("base_lr", float("nan")), ("momentum", 2)])
def test_settings_that_were_changed_are_looked_at_again(field, value, make):
    solver = make()
    solver.step(1)
    setattr(solver.param, field, value)
    with pytest.raises(NetError, match=f"solver: {field} is"):
        solver.step(1)


def test_training_ends_before_the_step_at_which_poly_has_ended(make):
    solver = make('lr_policy: "poly" power: 0.5 max_iter: 3')
    with pytest.raises(NetError, match="iteration 4 is beyond max_iter"):
        solver.step(8)
    assert solver.iter == 4
    assert all(np.isfinite(blob.data).all() for blobs in solver.net.params.values() for blob in blobs)


def test_a_learning_rate_that_is_not_finite_changes_nothing(make):
    solver = make('lr_policy: "exp" gamma: 1e30 base_lr: 1e-9')
    with pytest.raises(CaffeError, match="iteration 2: the learning rate is inf, from base_lr, gamma and power"):
        solver.step(5)
    assert solver.iter == 2
    assert np.isfinite(solver.history[0].data).all()
