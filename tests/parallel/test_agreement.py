"""What solvers that train together have in common, and how they find each other and the newest snapshot."""

import pytest
import torch.distributed

from caffe import ranks
from caffe.errors import UsageError
from caffe.formats import solverstate
from caffe.proto import caffe_pb2
from caffe.solver import agreement, network
from caffe.solver.heartbeat import LOST_AFTER, Heartbeat, lost_after
from caffe.solver.newest import newest


def solver(folder, lines="1.png 0\n", rate=0.1):
    (folder / "list.txt").write_text(lines)
    net = f"""
        layer {{ name: "data" type: "ImageData" top: "d" top: "l" image_data_param {{ source: "{folder}/list.txt" }} }}
        layer {{ name: "own" type: "Python" top: "p" python_param {{ module: "m" layer: "L"
          param_str: "{{'split': '{folder}/list.txt', 'n': 3}}" }} }}
    """
    (folder / "net.prototxt").write_text(net)
    return caffe_pb2.SolverParameter(net=str(folder / "net.prototxt"), base_lr=rate, snapshot_prefix=str(folder))


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    return tmp_path / "a", tmp_path / "b"


def test_the_same_files_at_other_paths_are_the_same(folders):
    first, second = (agreement.described(solver(folder)) for folder in folders)
    assert agreement.difference(first, second) is None
    assert {"data of layer 'data'", "data of layer 'own'", "layer 'own'", "solver: base_lr"} <= set(first)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"lines": "1.png 1\n"}, "data of layer 'data': '8 bytes ("),
        ({"rate": 0.25}, "solver: base_lr: '0.10000000149011612' here, '0.25' there"),
    ],
)
def test_what_differs_is_named_with_both_values(folders, other, told):
    first, second = agreement.described(solver(folders[0])), agreement.described(solver(folders[1], **other))
    assert told in agreement.difference(first, second)


def test_a_folder_is_what_is_in_it(folders):
    for folder in folders:
        (folder / "data.mdb").write_bytes(b"some records")
        (folder / "lock.mdb").write_text(str(folder))
    assert agreement.content(str(folders[0])) == agreement.content(str(folders[1]))
    (folders[1] / "data.mdb").write_bytes(b"same records")
    assert agreement.content(str(folders[0])) != agreement.content(str(folders[1]))


def test_the_newest_whole_snapshot_is_found(tmp_path):
    prefix = str(tmp_path / "run")
    assert newest(prefix) is None
    for iteration in (5, 10, 100):
        solverstate.write(f"{prefix}_iter_{iteration}.solverstate", solverstate.State(iteration))
    (tmp_path / "run_iter_200.solverstate").write_bytes(b"\x08")
    solverstate.write(f"{prefix}_iter_300.solverstate", solverstate.State(300, "gone.caffemodel"))
    (tmp_path / "run2_iter_900.solverstate").write_bytes(b"")
    assert newest(prefix) == (100, f"{prefix}_iter_100.solverstate")


@pytest.fixture
def store(monkeypatch):
    """A meeting point for two, of whom this process is solver 0."""
    monkeypatch.setattr(ranks, "_count", 2)
    monkeypatch.setattr("caffe.solver.heartbeat.PERIOD", 0.01)
    return torch.distributed.HashStore()


def test_a_solver_is_lost_when_it_has_not_moved_for_long_enough(store):
    heartbeat = Heartbeat(store, seconds=0.05)
    heartbeat.stop()
    heartbeat._thread.join()
    for number in range(20):
        store.set("alive/1", str(number))
        heartbeat._look()
        assert heartbeat.lost() is None
    for _ in range(4):
        heartbeat._look()
        assert heartbeat.lost() is None
    heartbeat._look()
    assert "nothing was heard of solver 1" in heartbeat.lost()


def test_a_meeting_point_that_does_not_answer_is_noticed(store):
    heartbeat = Heartbeat(store, seconds=0.05)
    heartbeat.stop()
    heartbeat._thread.join()
    assert [bool(heartbeat.lost()) for _ in range(7)][-1]
    assert "has not answered" in heartbeat.lost()


@pytest.mark.parametrize("text", ["soon", "1", "-5", "nan"])
def test_a_senseless_patience_is_refused(monkeypatch, text):
    monkeypatch.setenv(LOST_AFTER, text)
    with pytest.raises(UsageError, match=f"{LOST_AFTER}='{text}'.*at least 4 seconds"):
        lost_after()


def test_the_users_network_stays_and_the_loopback_is_not_chosen(monkeypatch):
    monkeypatch.setenv(network.INTERFACE, "eth7")
    monkeypatch.setenv("MASTER_ADDR", "192.0.2.1")
    network.choose()
    assert network.os.environ[network.INTERFACE] == "eth7"
    assert network.leading_to("127.0.0.1") is None
    assert network.leading_to("no.such.host.invalid") is None
