import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError, NetError, UsageError
from caffe.formats.prototxt import parse
from caffe.proto import caffe_pb2
from caffe.solver import solver_from_message
from caffe.solver.solver import SOLVERS, Action
from tests.solver.conftest import NET

FROZEN = NET.replace('top: "score" ', 'top: "score" param { lr_mult: 0 } param { lr_mult: 0 } ')
INLINE = NET.replace("\n", " ")


def weights(solver):
    return np.concatenate([blob.data.ravel() for layer in solver.net.params.values() for blob in layer])


@pytest.mark.parametrize("type_", SOLVERS)
def test_get_solver_takes_the_type(type_, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(f'net: "net.prototxt" type: "{type_}" base_lr: 0.1 lr_policy: "fixed"')
    solver = caffe.get_solver("solver.prototxt")
    assert type(solver).__name__ == f"{type_}Solver"
    assert isinstance(solver, caffe.SGDSolver)
    assert solver.param.snapshot_prefix == "solver"


def test_a_class_of_pycaffe_ignores_the_type(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "s.prototxt").write_text(f'net: "net.prototxt" type: "Adam" snapshot_prefix: "{tmp_path}"')
    solver = caffe.SGDSolver("s.prototxt")
    assert len(solver.history) == 4
    assert solver.param.snapshot_prefix == str(tmp_path / "s")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('type: "Newton"', "Unknown solver type: Newton"),
        ('net: "net.prototxt" train_net: "net.prototxt"', "must not contain more than one of these fields"),
        ("test_iter: 2", "test_interval is 0"),
        ('net: "net.prototxt" test_net: "net.prototxt" test_interval: 1', "test_iter must be specified for each"),
        ('train_net: "net.prototxt" test_iter: 1 test_interval: 1', "test_iter must be specified for each"),
        ("test_iter: 1 test_interval: 1 test_state {} test_state {}", "test_state must be unspecified or"),
        ("snapshot: 1 snapshot_prefix: '/proc/nowhere/x'", "Cannot write to snapshot prefix '/proc/nowhere/x'"),
    ],
)
def test_settings_that_are_refused(settings, words, make):
    with pytest.raises(CaffeError, match=words):
        make(settings)


def test_a_solver_needs_a_net():
    with pytest.raises(NetError, match="must specify a train net using one of these fields: net, net_param"):
        solver_from_message(caffe_pb2.SolverParameter())
    with pytest.raises(NetError, match="snapshot is specified but snapshot_prefix is not"):
        solver_from_message(parse('net: "x" snapshot: 1', caffe_pb2.SolverParameter()))


def test_the_directory_of_snapshots_is_made(make, tmp_path):
    make("snapshot: 5 snapshot_prefix: 'new/deep/train'")
    assert list((tmp_path / "new/deep").iterdir()) == []


def test_test_nets_come_in_caffes_order(make, lines):
    states = 'test_state { stage: "a" } test_state { level: 3 } test_state {}'
    solver = make(
        f'net_param {{ {INLINE.replace("small", "generic")} }} test_net: "net.prototxt" '
        f"test_net_param {{ {INLINE.replace('small', 'inline')} }} test_iter: 1 test_iter: 2 test_iter: 3 "
        f"test_interval: 5 {states}"
    )
    assert [net.name for net in solver.test_nets] == ["inline", "small", "generic"]
    assert solver.net.name == "generic"
    assert "Creating test net (#1) specified by test_net file: net.prototxt" in lines
    assert "Creating training net specified in net_param." in lines


def test_states_are_merged(make):
    layer = 'layer { name: "s" type: "Silence" bottom: "score" include { phase: %s stage: "x" min_level: 2 } }'
    net = NET + layer % "TRAIN" + layer.replace('"s"', '"t"') % "TEST" + 'state { stage: "x" level: 1 }'
    solver = make("train_state { level: 2 } test_state { level: 1 } test_iter: 1 test_interval: 1", net)
    assert "s" in solver.net.layer_dict
    assert "t" not in solver.test_nets[0].layer_dict
    assert make("train_state { level: 2 phase: TEST }", net).net.phase == caffe.TEST


def test_step_ignores_max_iter_and_solve_does_not(make):
    solver = make("max_iter: 3 snapshot_after_train: false")
    solver.step(5)
    assert solver.iter == 5
    solver.solve()
    assert solver.iter == 5
    assert solver.max_iter == 3


def test_callbacks_frame_an_iteration(make):
    solver, calls = make(), []
    solver.add_callback(
        lambda: calls.append(("start", solver.iter)),
        lambda: calls.append(("ready", float(abs(solver.net.params["score"][0].diff).sum()) > 0)),
    )
    solver.step(2)
    assert calls == [("start", 0), ("ready", True), ("start", 1), ("ready", True)]


def test_apply_update_with_hand_written_gradients(make):
    solver = make("momentum: 0.5")
    blob = solver.net.params["score"][0]
    view = blob.data
    before = view.copy()
    solver.net.clear_param_diffs()
    blob.diff[...] = 2
    solver.apply_update()
    solver.net.clear_param_diffs()
    solver.apply_update()
    np.testing.assert_allclose(view, before - 0.1 * 2 * 1.5, rtol=1e-6)
    np.testing.assert_allclose(blob.diff, 0.1, rtol=1e-6)
    assert solver.iter == 2


def test_a_parameter_with_lr_mult_0_is_not_written_to(make):
    solver = make("momentum: 0.5 weight_decay: 0.1", FROZEN)
    blob = solver.net.params["score"][0]
    before = blob.memory.stamp
    blob.diff[...] = 2
    solver.apply_update()
    assert blob.memory.stamp == before
    assert not blob.diff.any()


def test_momentum_from_other_times_moves_a_parameter_with_lr_mult_0(make):
    solver = make("momentum: 0.5", FROZEN)
    solver.history[2].data[...] = 1
    solver.snapshot()
    resumed = make("momentum: 0.5", FROZEN)
    resumed.apply_update()
    resumed.restore("snap/train_iter_0.solverstate")
    before = resumed.net.params["score"][0].data.copy()
    resumed.apply_update()
    resumed.apply_update()
    np.testing.assert_allclose(resumed.net.params["score"][0].data, before - (0.5 + 0.25), rtol=1e-6)


def test_base_lr_can_be_changed_at_any_time(make):
    solver = make()
    solver.step(1)
    solver.param.base_lr = 0
    before = weights(solver)
    solver.step(2)
    np.testing.assert_array_equal(weights(solver), before)
    assert solver.lr == 0


def test_reading_lr_does_not_take_a_step(make):
    solver = make('lr_policy: "multistep" gamma: 0.5 stepvalue: 0')
    assert [solver.lr, solver.lr, solver.current_step] == [np.float32(0.05), np.float32(0.05), 0]


def test_smoothed_loss_is_the_mean_of_the_last_ones(make):
    solver, losses = make("average_loss: 3"), []
    solver.add_callback(lambda: None, lambda: losses.append(float(solver.net.blobs["loss"].data)))
    solver.step(5)
    np.testing.assert_allclose(solver.smoothed_loss, np.mean(losses[-3:]), rtol=1e-5)
    solver.step(1)
    np.testing.assert_allclose(solver.smoothed_loss, losses[-1], rtol=1e-6)


def test_weights_of_the_solver_file(make):
    donor = make()
    donor.net.save("a.caffemodel")
    donor.net.params["score"][1].data[...] = 7
    donor.net.save("b.caffemodel")
    solver = make('weights: "a.caffemodel, b.caffemodel" test_iter: 1 test_interval: 9')
    for net in [solver.net, *solver.test_nets]:
        assert (net.params["score"][1].data == 7).all()


def test_tests_use_the_weights_of_training(make, lines):
    solver = make("test_iter: 3 test_interval: 2 test_initialization: false test_compute_loss: true")
    solver.step(3)
    assert [line for line in lines if "Testing net" in line] == ["Iteration 2, Testing net (#0)"]
    assert any(line.startswith("Test loss: ") for line in lines)
    assert np.shares_memory(solver.test_nets[0].params["score"][0].data, solver.net.params["score"][0].data)


def test_share_weights(make):
    solver, other = make(), make()
    solver.share_weights(other.net)
    solver.net.params["score"][1].data[...] = 3
    assert (other.net.params["score"][1].data == 3).all()


def test_maps_are_listed_up_to_a_limit(make, lines):
    net = NET.replace("SoftmaxWithLoss", "Softmax").replace('bottom: "label" top: "loss"', 'top: "map"')
    net = (
        net.replace("num_output: 2", "num_output: 50")
        + 'layer { name: "z" type: "Reduction" bottom: "label" top: "z" }'
    )
    make("display: 1", net).step(1)
    outputs = [line for line in lines if "output #" in line]
    assert len(outputs) == 21
    assert outputs[19].startswith("    Train net output #19: map = ")
    assert outputs[20] == "    Train net output #200: z = 4"
    assert "    (map: 180 more values, not listed)" in lines


class Asks:
    """Asks for one action when called for the n-th time."""

    def __init__(self, action, time):
        self.action, self.left = action, time

    def __call__(self):
        self.left -= 1
        return self.action if self.left == 0 else Action.NONE


def test_stop_ends_training_with_a_snapshot(make, tmp_path, lines):
    solver = make()
    solver.set_action_function(Asks(Action.STOP, 3))
    solver.solve()
    assert solver.iter == 3
    assert (tmp_path / "snap/train_iter_3.solverstate").exists()
    assert lines[-1] == "Optimization stopped early."
    solver.solve()
    assert solver.iter == 10
    assert lines[-1] == "Optimization Done."


def test_snapshot_on_request_goes_on(make, tmp_path):
    solver = make("snapshot_after_train: false")
    solver.set_action_function(Asks(Action.SNAPSHOT, 4))
    solver.solve()
    assert [path.name for path in tmp_path.glob("snap/*.caffemodel")] == ["train_iter_4.caffemodel"]
    assert solver.iter == 10


def test_stop_during_a_test(make, lines):
    solver = make("test_iter: 5 test_interval: 2")
    solver.set_action_function(Asks(Action.STOP, 3))
    solver.solve()
    assert solver.iter == 0
    assert "Test interrupted." in lines


def test_a_callback_is_two_functions(make):
    with pytest.raises(UsageError, match="expected two"):
        make().add_callback(lambda: None)
