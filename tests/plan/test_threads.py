"""Threads follow the size of the net, the processors that are there, and what the user says."""

import os
import threading

import pytest
import torch

import caffe
from caffe import cpus
from caffe.errors import UsageError
from caffe.plan import threads
from tests.plan.nets import plainly

sleep_soon = threads._sleep_soon
"""Before the fixture replaces it."""
SMALL, LARGE = (10**6, 10**6), (10**12, 10**6)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Four processors without a quota, and a user who said nothing."""
    for name in threads.SPOKEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(threads, "_quota", lambda: None)
    monkeypatch.setattr(threads, "_sleep_soon", lambda: False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    caffe.set_threads(None)
    torch.set_num_threads(before)


def inside(net: tuple[int, int]) -> int:
    with threads.chosen(*net):
        return torch.get_num_threads()


@pytest.mark.parametrize(
    ("operations", "size", "expected"),
    [
        (0, 0, 1),
        (10**9, 0, 1),
        (2 * 10**9, 0, 2),
        (10**11, 0, 8),
        (0, 2 * 10**8, 2),
        (10**9, 3 * 10**8, 3),
    ],
)
def test_a_thread_for_so_much_work_up_to_all(operations, size, expected):
    assert threads.fitting(operations, size, 8) == expected


@pytest.mark.parametrize(
    ("operations", "size", "expected"), [(10**8, 0, 1), (2 * 10**8, 0, 2), (0, 2 * 10**7, 2), (10**8, 3 * 10**7, 3)]
)
def test_threads_that_sleep_soon_are_worth_less_work(monkeypatch, operations, size, expected):
    monkeypatch.setattr(threads, "_sleep_soon", lambda: True)
    assert threads.fitting(operations, size, 8) == expected


@pytest.mark.parametrize(
    ("set_to", "expected"),
    [
        ({}, False),
        ({"GOMP_SPINCOUNT": "1000"}, True),
        ({"GOMP_SPINCOUNT": "0"}, True),
        ({"GOMP_SPINCOUNT": "300000"}, False),
        ({"GOMP_SPINCOUNT": "infinite"}, False),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, True),
        ({"OMP_WAIT_POLICY": "active"}, False),
        ({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "300000"}, False),
    ],
)
def test_openmps_variables_say_how_long_threads_wait_awake(monkeypatch, set_to, expected):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    assert sleep_soon.__wrapped__() == expected


def test_a_small_net_takes_one_thread_and_a_large_one_all():
    assert (inside(SMALL), inside(LARGE)) == (1, 4)
    assert torch.get_num_threads() == 4


def test_without_the_plan_a_net_takes_all():
    with plainly():
        assert inside(SMALL) == 4


def test_the_quota_limits_and_is_read_as_this_process_has_it(monkeypatch):
    monkeypatch.setattr(threads, "_quota", lambda: 1.5)
    assert inside(LARGE) == 2


def test_the_affinity_limits_also_where_it_changes_later(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert inside(LARGE) == 1


@pytest.mark.parametrize("name", threads.SPOKEN)
def test_what_the_environment_says_holds_whatever_the_quota(monkeypatch, name):
    monkeypatch.setenv(name, "4")
    monkeypatch.setattr(threads, "_quota", lambda: 1.0)
    assert inside(LARGE) == 4


def test_what_torch_was_told_is_the_most():
    torch.set_num_threads(2)
    assert inside(LARGE) == 2


def test_what_caffe_was_told_holds_for_every_net(monkeypatch):
    monkeypatch.setattr(threads, "_quota", lambda: 1.0)
    caffe.set_threads(3)
    assert (inside(SMALL), inside(LARGE)) == (3, 3)
    caffe.set_threads(None)
    assert inside(LARGE) == 1


@pytest.mark.parametrize("count", [0, -1])
def test_no_threads_at_all_are_refused(count):
    with pytest.raises(UsageError, match=f"set_threads: {count} threads, expected at least 1"):
        caffe.set_threads(count)


def test_an_error_in_a_pass_leaves_torchs_number_as_it_was():
    with pytest.raises(ValueError), threads.chosen(*SMALL):
        raise ValueError
    assert torch.get_num_threads() == 4


def test_a_thread_that_begins_while_a_small_net_runs_elsewhere_takes_all_for_a_large_one():
    found: list[int] = []

    def other() -> None:
        found.extend([inside(LARGE), torch.get_num_threads()])

    with threads.chosen(*SMALL):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == [4, 4]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("wanted", [None, 3])
def test_a_child_of_fork_keeps_to_one_thread(wanted, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.format(side=256))
    net = caffe.Net(str(path), caffe.TEST)
    caffe.set_threads(wanted)
    net.forward()
    reader, writer = os.pipe()
    with threads.chosen(*SMALL):
        child = os.fork()
    if not child:
        with net.threads():
            os.write(writer, bytes([torch.get_num_threads()]))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"\1"


NET = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 64 dim: {side} dim: {side} }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {{ num_output: 64
  kernel_size: 3 pad: 1 }} }}
"""


def test_a_net_runs_and_is_updated_with_the_threads_that_its_shapes_are_worth(tmp_path, monkeypatch):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.format(side=16))
    net = caffe.Net(str(path), caffe.TEST)
    seen: list[int] = []
    net.before_forward(lambda index: seen.append(torch.get_num_threads()))
    net.forward()
    net.blobs["data"].reshape(1, 64, 256, 256)
    net.reshape()
    net.forward()
    with net.threads():
        seen.append(torch.get_num_threads())
    assert seen == [1, 1, 4, 4, 4]
    assert torch.get_num_threads() == 4


def test_the_quota_of_this_machine_can_be_read():
    limit = cpus.quota()
    assert limit is None or limit > 0
