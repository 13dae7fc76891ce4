import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError, FormatError, WeightsError
from caffe.proto import caffe_pb2
from caffe.solver import snapshot
from tests.solver.conftest import NET


class Counter(caffe.Layer):
    """A data layer of a user: it counts, and can go on counting."""

    def setup(self, bottom, top):
        self.count = 0

    def reshape(self, bottom, top):
        top[0].reshape(4, 3)

    def forward(self, bottom, top):
        self.count += 1
        top[0].data[...] = np.random.RandomState(self.count).standard_normal((4, 3))

    def backward(self, top, propagate_down, bottom):
        pass

    def state(self):
        return {"count": self.count}

    def set_state(self, state):
        if state["count"] > 1000:
            raise ValueError("that far nobody counts")
        self.count = state["count"]


COUNTED = NET.replace('top: "data" top: "label"', 'top: "unused" top: "label"') + (
    'layer { name: "silent" type: "Silence" bottom: "unused" }'
)
COUNTED = (
    'layer { name: "counter" type: "Python" top: "data" '
    f'python_param {{ module: "{__name__}" layer: "Counter" }} }}' + COUNTED
)


def everything(solver):
    blobs = [blob for layer in solver.net.params.values() for blob in layer]
    return [solver.iter, *(blob.data.copy() for blob in [*blobs, *solver.history])]


def assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("snapshot_format", ["BINARYPROTO", "HDF5"])
@pytest.mark.parametrize("solver_type", ["SGD", "AdaDelta", "Adam"])
def test_a_resumed_run_equals_an_unbroken_one_to_the_bit(solver_type, snapshot_format, make):
    settings = (
        f'type: "{solver_type}" momentum: 0.9 weight_decay: 0.01 snapshot_format: {snapshot_format} '
        'lr_policy: "multistep" gamma: 0.5 stepvalue: 1 stepvalue: 2 stepvalue: 6 test_iter: 2 test_interval: 3'
    )
    unbroken = make(settings, COUNTED)
    unbroken.step(4)
    unbroken.snapshot()
    at_four = everything(unbroken)
    unbroken.step(5)

    resumed = make(settings, COUNTED)
    resumed.step(1)
    suffix = ".h5" if snapshot_format == "HDF5" else ""
    resumed.restore(f"snap/train_iter_4.solverstate{suffix}")
    assert_same(everything(resumed), at_four)
    resumed.step(5)
    assert_same(everything(resumed), everything(unbroken))
    for ours, theirs in ((resumed.net, unbroken.net), (resumed.test_nets[0], unbroken.test_nets[0])):
        assert ours.layer_dict["counter"].count == theirs.layer_dict["counter"].count


def test_solve_resumes(make):
    first = make("max_iter: 4")
    first.solve()
    second = make("max_iter: 7")
    second.solve("snap/train_iter_4.solverstate")
    assert second.iter == 7


def test_snapshots_at_their_interval_and_after_training(make, tmp_path):
    make("snapshot: 4 max_iter: 10").solve()
    assert sorted(path.name for path in tmp_path.glob("snap/*.solverstate")) == [
        "train_iter_10.solverstate",
        "train_iter_4.solverstate",
        "train_iter_8.solverstate",
    ]
    make("snapshot: 5 snapshot_prefix: 'b' max_iter: 5").solve()
    make("snapshot_prefix: 'c' snapshot_after_train: false").solve()
    assert sorted(path.name for path in tmp_path.glob("*.caffemodel")) == ["b_iter_5.caffemodel"]


def test_snapshot_diff(make):
    solver = make("snapshot_diff: true")
    solver.step(1)
    solver.snapshot()
    plain = make("snapshot_prefix: 'plain'")
    plain.step(1)
    plain.snapshot()
    values = sum(blob.count for blob in solver.history)
    more = os.path.getsize("snap/train_iter_1.caffemodel") - os.path.getsize("plain_iter_1.caffemodel")
    assert more >= 4 * values


def test_weights_are_found_beside_a_state_that_was_moved(make, tmp_path):
    solver = make()
    solver.step(2)
    solver.snapshot()
    (tmp_path / "snap").rename(tmp_path / "moved")
    resumed = make()
    resumed.restore("moved/train_iter_2.solverstate")
    assert_same(everything(resumed), everything(solver))


def test_a_state_of_another_solver_is_refused_and_nothing_changes(make):
    adam = make('type: "Adam"')
    adam.step(1)
    adam.snapshot()
    sgd = make()
    before = everything(sgd)
    with pytest.raises(WeightsError, match=r"Incorrect length of history blobs.*8.*has 4"):
        sgd.restore("snap/train_iter_1.solverstate")
    other = make("", NET.replace("num_output: 5", "num_output: 6"))
    sgd.snapshot()
    with pytest.raises(WeightsError, match="history 0 has shape"):
        other.restore("snap/train_iter_0.solverstate")
    assert_same(everything(sgd), before)


def test_weights_given_for_a_state_are_named(make):
    solver = make()
    solver.snapshot()
    with pytest.raises(FormatError, match=r"expected a solver's state.*found weights"):
        solver.restore("snap/train_iter_0.caffemodel")


def test_a_missing_state_file(make):
    with pytest.raises(CaffeError, match="nowhere"):
        make().restore("nowhere.solverstate")


def test_without_layer_state_layers_start_afresh(make, lines):
    solver = make("", COUNTED)
    solver.step(2)
    solver.snapshot()
    os.unlink("snap/train_iter_2.layerstate.json")
    resumed = make("", COUNTED)
    resumed.restore("snap/train_iter_2.solverstate")
    assert resumed.net.layer_dict["counter"].count == 0
    assert any("start afresh" in line for line in lines)


def test_a_layer_may_refuse_its_position(make, lines):
    solver = make("", COUNTED)
    solver.net.layer_dict["counter"].count = 5000
    solver.snapshot()
    make("", COUNTED).restore("snap/train_iter_0.solverstate")
    assert "layer 'counter' starts afresh: that far nobody counts" in lines


def test_a_state_that_is_no_json_costs_only_itself(make, lines):
    solver = make("", COUNTED)
    solver.net.layer_dict["counter"].count = object()
    solver.snapshot()
    assert os.path.exists("snap/train_iter_0.solverstate")
    assert not os.path.exists("snap/train_iter_0.layerstate.json")
    assert any("is not JSON" in line for line in lines)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.update(iter=7),
        lambda content: content["random"].update(state="AAAA"),
        lambda content: content.update(random=None),
        lambda content: content.update(nets=[1]),
    ],
)
def test_a_damaged_layer_state_is_refused(damage, make, tmp_path):
    make().snapshot()
    path = tmp_path / "snap/train_iter_0.layerstate.json"
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=r"layerstate.json': unusable: .*Remove it"):
        make().restore("snap/train_iter_0.solverstate")


@pytest.mark.parametrize("prefix", ["x" * 300, "folder/" + "x" * 5000])
def test_a_prefix_that_no_file_can_have_is_refused(tmp_path, prefix):
    (tmp_path / "solver.prototxt").write_text(
        f"net_param {{ {NET} }} base_lr: 1 lr_policy: 'fixed' snapshot: 1 snapshot_prefix: '{tmp_path / prefix}'"
    )
    with pytest.raises(FormatError, match="Cannot write to snapshot prefix"):
        caffe.get_solver(str(tmp_path / "solver.prototxt"))


def test_the_processes_of_one_training_may_all_ask_for_its_prefix_at_once(tmp_path):
    param = caffe_pb2.SolverParameter(snapshot=1, snapshot_prefix=str(tmp_path / "new" / "train"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(snapshot.check_prefix, [param] * 2000))
    assert not list((tmp_path / "new").iterdir())
