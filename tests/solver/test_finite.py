"""A training that no longer computes with numbers stops, says where, and leaves its good snapshots alone."""

import re

import numpy as np
import pytest

from caffe.errors import NotFiniteError
from caffe.solver.finite import is_finite
from tests.solver.conftest import NET

NAN = float("nan")
SIDE = """
layer { name: "side" type: "InnerProduct" bottom: "data" top: "side" propagate_down: false
  param { lr_mult: 0 } param { lr_mult: 0 } inner_product_param { num_output: 2 } }
layer { name: "silence" type: "Silence" bottom: "side" }
"""
"""A layer that no loss depends on."""


def spoil_at(solver, iteration, blob, value=NAN):
    """From an iteration on, one value of a blob is no number."""

    def on_start():
        if solver.iter == iteration:
            blob.data.flat[0] = value

    solver.add_callback(on_start, lambda: None)


def spoil_the_data(solver, iteration):
    layer = solver.net.layer_dict["hidden"]
    forward = layer.forward

    def spoiled(bottom, top):
        if solver.iter == iteration:
            bottom[0].data.flat[0] = NAN
        forward(bottom, top)

    layer.forward = spoiled


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_solve_stops_at_the_iteration_that_shows_it_and_names_what_is_not_finite(value, make, tmp_path):
    solver = make("snapshot: 2")
    spoil_at(solver, 5, solver.net.params["score"][1], value)
    with pytest.raises(NotFiniteError) as caught:
        solver.solve()
    words = str(caught.value)
    assert re.match(r"solver: iteration 5: the loss is -?(nan|inf)\. Not finite are the blobs score, loss and ", words)
    assert "the parameters score[1]" in words
    assert "The last snapshot, 'snap/train_iter_4.solverstate', is finite." in words
    assert "--allow-nan" in words
    assert sorted(path.name for path in (tmp_path / "snap").glob("*.solverstate")) == [
        "train_iter_2.solverstate",
        "train_iter_4.solverstate",
    ]


def test_the_weights_are_left_as_they_were_before_that_iteration(make):
    solver = make()
    solver.step(1)
    before = {name: [blob.data.copy() for blob in blobs] for name, blobs in solver.net.params.items()}
    spoil_the_data(solver, 1)
    with pytest.raises(NotFiniteError):
        solver.solve()
    assert solver.iter == 1
    for name, blobs in before.items():
        for blob, values in zip(solver.net.params[name], blobs, strict=True):
            np.testing.assert_array_equal(blob.data, values)


def test_where_the_data_is_not_finite_it_is_to_blame(make):
    solver = make()
    spoil_the_data(solver, 1)
    with pytest.raises(NotFiniteError, match="Blob 'data' comes so from its source: correct the data."):
        solver.solve()


def test_one_batch_of_several_is_enough(make):
    solver = make("iter_size: 3")
    layer = solver.net.layer_dict["hidden"]
    forward, passes = layer.forward, []

    def spoiled(bottom, top):
        passes.append(0)
        if len(passes) == 5:
            bottom[0].data.flat[0] = NAN
        forward(bottom, top)

    layer.forward = spoiled
    with pytest.raises(NotFiniteError, match="iteration 1: .*the blobs data, "):
        solver.solve()
    assert len(passes) == 5


def test_weights_that_a_loss_hides_are_found_before_the_snapshot(make, tmp_path):
    solver = make("snapshot: 3 base_lr: 0", NET + SIDE)
    solver.net.params["side"][0].data.flat[1] = NAN
    with pytest.raises(NotFiniteError, match=r"iteration 3: not finite are the parameters side\[0\] and none of"):
        solver.solve()
    assert solver.iter == 3
    assert not list((tmp_path / "snap").iterdir())


def test_a_history_that_is_not_finite_is_found_before_the_snapshot(make, tmp_path):
    solver = make()
    solver.step(1)
    solver.history[2].data.flat[0] = float("inf")
    solver.allow_nan = False
    with pytest.raises(NotFiniteError, match="none of the parameters and the blobs of the history 2: no snapshot"):
        solver.snapshot()
    assert not list(tmp_path.glob("snap/*"))


def test_a_training_without_snapshots_looks_at_its_weights_at_the_end(make):
    solver = make("snapshot_after_train: false base_lr: 0", NET + SIDE)
    solver.net.params["side"][0].data.flat[1] = NAN
    with pytest.raises(NotFiniteError, match="iteration 10"):
        solver.solve()


def test_step_warns_once_and_goes_on(make, lines, tmp_path):
    solver = make("snapshot: 4")
    spoil_at(solver, 2, solver.net.params["score"][1])
    solver.step(5)
    assert solver.iter == 5
    (warning,) = [line for line in lines if line.startswith("solver: ")]
    assert "iteration 2: the loss is nan" in warning
    assert (tmp_path / "snap/train_iter_4.caffemodel").exists()


def test_step_stops_where_it_is_told_to(make):
    solver = make()
    solver.allow_nan = False
    spoil_at(solver, 2, solver.net.params["score"][1])
    with pytest.raises(NotFiniteError, match="iteration 2"):
        solver.step(5)


@pytest.mark.parametrize("run", ["solve", "step"])
def test_allow_nan_goes_on_in_silence(run, make, lines, tmp_path):
    solver = make("snapshot: 5")
    solver.allow_nan = True
    spoil_at(solver, 2, solver.net.params["score"][1])
    solver.solve() if run == "solve" else solver.step(10)
    assert solver.iter == 10
    assert (tmp_path / "snap/train_iter_10.solverstate").exists()
    assert not any("finite" in line for line in lines)


def test_large_numbers_whose_sum_overflows_are_finite(make):
    import torch

    assert is_finite(torch.full((4,), 3e38))
    assert is_finite(torch.zeros(0))
    for wrong in ([1.0, NAN], [float("inf"), -float("inf")], [-float("inf"), 0.0]):
        assert not is_finite(torch.tensor(wrong))
