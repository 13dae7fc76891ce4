"""One training at a time writes the snapshots of a prefix."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import caffe
from caffe.errors import FormatError, UsageError
from caffe.solver import snapshot_lock

OTHER = """
import sys
import caffe

solver = caffe.get_solver("solver.prototxt")
solver.step(1)
print("training", flush=True)
sys.stdin.readline()
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def other(make, tmp_path):
    """other() → a process that trains on prefix snap/train with snapshots until its stdin gets a line."""
    make()
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" snapshot: 100 snapshot_prefix: "snap/train"'
    )
    processes = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "training\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_second_training_is_refused_and_told_who_the_first_is(other, make):
    first = other()
    for begin in (lambda solver: solver.solve(), lambda solver: solver.step(1), lambda solver: solver.snapshot()):
        second = make("snapshot: 5")
        with pytest.raises(UsageError, match=rf"process {first.pid} on .* the same snapshot_prefix, '.*snap/train'"):
            begin(second)
        assert second.iter == 0
    make("snapshot: 5 snapshot_prefix: 'snap/other'").solve()
    make("snapshot: 0").step(1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_process_that_was_killed_is_no_hindrance(number, other, make, tmp_path):
    first = other()
    first.send_signal(number)
    first.wait()
    assert (tmp_path / "snap/train.lock").exists()
    make("snapshot: 5").solve()
    assert not (tmp_path / "snap/train.lock").exists()


def test_the_lock_ends_with_the_process(other, make, tmp_path):
    first = other()
    assert json.loads((tmp_path / "snap/train.lock").read_text())["pid"] == first.pid
    first.communicate("\n")
    assert not (tmp_path / "snap/train.lock").exists()
    make("snapshot: 5").solve()


def test_a_child_that_outlives_its_parent_holds_nothing(other, make, tmp_path):
    solver = make("snapshot: 5")
    solver.step(1)
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        del solver
        assert not (tmp_path / "snap/train.lock").exists()
        other()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_solve_gives_the_lock_back_and_step_keeps_it_while_the_solver_lives(make, tmp_path):
    lock = tmp_path / "snap/train.lock"
    solver = make("snapshot: 5")
    assert not lock.exists()
    solver.solve()
    assert not lock.exists()
    solver.step(1)
    assert lock.exists()
    solver.solve()
    solver.snapshot()
    assert lock.exists()
    del solver
    assert not lock.exists()


def test_solvers_of_one_process_take_turns(make):
    one, two = make("snapshot: 2"), make("snapshot: 2")
    for _ in range(3):
        one.step(1)
        two.step(1)
    assert (one.iter, two.iter) == (3, 3)
    del one
    two.solve()
    assert two.iter == two.param.max_iter


def test_solvers_of_one_process_do_not_train_at_once(make):
    one, two = make("snapshot: 5"), make("snapshot: 5")
    waiting, go_on = threading.Event(), threading.Event()

    def wait():
        waiting.set()
        go_on.wait(60)

    one.add_callback(wait, lambda: None)
    thread = threading.Thread(target=one.solve)
    thread.start()
    try:
        assert waiting.wait(60)
        with pytest.raises(UsageError, match="another solver of this process is training on the same snapshot_prefix"):
            two.solve()
    finally:
        go_on.set()
        thread.join()
    two.solve()


def test_the_same_prefix_by_another_name_is_the_same(other, make, tmp_path):
    other()
    (tmp_path / "link").symlink_to("snap")
    with pytest.raises(UsageError, match="is training on the same snapshot_prefix"):
        make("snapshot: 5 snapshot_prefix: 'link/../link/train'").solve()


def test_what_an_interrupted_snapshot_left_goes_at_the_start_of_the_next_training(make, tmp_path, lines):
    folder = tmp_path / "snap"
    folder.mkdir()
    names = [
        "train_iter_4.caffemodel.4711-0123abcd.tmp",
        "train_iter_4.solverstate.h5.1-0123abcd.tmp",
        "train_iter_4.layerstate.json.4711-0123abcd.tmp",
        f"train_iter_8.caffemodel.{os.getpid()}-0123abcd.tmp",
    ]
    others = ["train2_iter_4.caffemodel.4711-0123abcd.tmp", "train_iter_4.caffemodel", "train_iter_x.tmp", "notes.tmp"]
    for name in names + others:
        (folder / name).touch()
    make("max_iter: 1 snapshot: 5").solve()
    left = {path.name for path in folder.iterdir()}
    assert left & {*names, *others} == set(others)
    assert sum(line.startswith("Removed ") for line in lines) == len(names)


def test_a_place_that_cannot_be_written_is_known_before_training(make):
    solver = make("snapshot_prefix: '/proc/nowhere/x'")
    with pytest.raises(FormatError, match="Cannot write to snapshot prefix '/proc/nowhere/x'"):
        solver.solve()
    assert solver.iter == 0


@pytest.mark.parametrize("case", ["unknown to Python", "unknown to the file system", "and the file removed by another"])
def test_where_there_are_no_locks_training_goes_on_with_a_warning(case, make, lines, monkeypatch, tmp_path):
    class NoLocks:
        LOCK_EX = LOCK_NB = 0

        @staticmethod
        def flock(*_):
            if case == "and the file removed by another":
                (tmp_path / "snap/train.lock").unlink()
            raise OSError(38, "Function not implemented")

    monkeypatch.setattr(snapshot_lock, "fcntl", None if case == "unknown to Python" else NoLocks)
    make("snapshot: 5").solve()
    assert any("see to it that no other training has this prefix" in line for line in lines)
    assert not (tmp_path / "snap/train.lock").exists()


def test_only_the_root_of_several_solvers_needs_the_lock(other, make, monkeypatch):
    other()
    monkeypatch.setattr(caffe.ranks, "_rank", 1)
    solver = make("snapshot: 5")
    solver.solve()
    assert solver.iter == solver.param.max_iter
