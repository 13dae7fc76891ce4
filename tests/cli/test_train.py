import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from caffe.cli import launch
from tests.parity import bvlc
from tests.patience import PATIENCE
from tests.solver import logged

SLEEPER = """
import time
import caffe


class Sleeper(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(2, 3)

    def forward(self, bottom, top):
        time.sleep(0.05)
        top[0].data[...] = 1

    def backward(self, top, propagate_down, bottom):
        pass
"""
SLOW_NET = """
layer { name: "data" type: "Python" top: "data" python_param { module: "sleeper" layer: "Sleeper" } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 1 } }
layer { name: "label" type: "DummyData" top: "label" dummy_data_param { shape { dim: 2 dim: 1 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SLOW_SOLVER = (
    'net: "nets/slow/net.prototxt" base_lr: 0 lr_policy: "fixed" max_iter: 1000 display: 1 snapshot_prefix: "s"'
)


def test_resume_and_finetune(run, folder):
    assert run("train -solver solver.prototxt -stage plain")[0] == 0
    whole = (folder / "snap_iter_10.caffemodel").read_bytes()
    status, _, err = run("train -solver solver.prototxt -stage plain -snapshot snap_iter_5.solverstate")
    assert status == 0
    assert "Resuming from snap_iter_5.solverstate" in err
    assert (folder / "snap_iter_10.caffemodel").read_bytes() == whole
    status, _, err = run(
        "train -solver solver.prototxt -stage plain -weights snap_iter_5.caffemodel,snap_iter_10.caffemodel"
    )
    assert status == 0
    assert [line.split("] ")[1] for line in err.splitlines() if "Finetuning" in line] == [
        "Finetuning from snap_iter_5.caffemodel",
        "Finetuning from snap_iter_10.caffemodel",
    ] * 3


def test_weights_replace_those_of_the_solver_and_a_snapshot_drops_them(run, folder):
    assert run("train -solver solver.prototxt")[0] == 0
    with open(folder / "solver.prototxt", "a") as file:
        file.write('weights: "nowhere.caffemodel"')
    assert run("train -solver solver.prototxt")[0] == 1
    assert run("train -solver solver.prototxt -weights snap_iter_5.caffemodel")[0] == 0
    assert run("train -solver solver.prototxt -snapshot snap_iter_5.solverstate")[0] == 0


def test_weights_given_as_snapshot(run):
    run("train -solver solver.prototxt")
    status, _, err = run("train -solver solver.prototxt -snapshot snap_iter_5.caffemodel")
    assert status == 1
    assert "expected a solver's state" in err.splitlines()[-1]


def test_stage_and_level(run, folder):
    net = logged.NET.replace('include { stage: "deploy" }', 'include { stage: "deploy" min_level: 2 }')
    (folder / "net.prototxt").write_text(net)
    assert "Creating Layer silence" in run("train -solver solver.prototxt -stage other,deploy -level 2")[2]
    assert "Creating Layer silence" not in run("train -solver solver.prototxt -stage other,deploy -level 1")[2]


def test_a_net_that_can_never_learn(run, folder):
    ip = 'layer { name: "ip0" type: "InnerProduct" bottom: "data" top: "ip0" inner_product_param { num_output: 4 } }'
    net = logged.NET.replace('layer { name: "ip"', ip + 'layer { name: "ip"').replace('bottom: "data"', 'bottom: "ip0"')
    net = net.replace('bottom: "ip0" top: "ip0"', 'bottom: "data" top: "ip0"')
    (folder / "net.prototxt").write_text(net.replace("value: 0.1", "value: 0"))
    status, _, err = run("train -solver solver.prototxt")
    assert status == 1
    assert "the weights of ip0, ip are all zero" in err.splitlines()[-1]
    assert run("train -solver solver.prototxt --allow-zero-init")[0] == 0


def test_a_loss_that_is_no_number_ends_training_and_keeps_the_snapshots_before(run, folder):
    (folder / "solver.prototxt").write_text(
        logged.SOLVER.replace("clip_gradients: 2", "").replace("base_lr: 0.05", "base_lr: 1e38")
    )
    status, _, err = run("train -solver solver.prototxt")
    assert status == 1
    assert re.search(r"caffe: solver: iteration \d+: the loss is -?(nan|inf)\. Not finite are", err.splitlines()[-1])
    assert not list(folder.glob("*_iter_*"))
    assert not list(folder.glob("*.lock"))
    assert run("train -solver solver.prototxt --allow-nan")[0] == 0
    assert (folder / "snap_iter_10.caffemodel").exists()


def test_checkpoint_is_refused_where_no_map_can_be_computed_again(run, folder):
    status, _, err = run("train -solver solver.prototxt -checkpoint")
    assert status == 1
    assert "checkpoint = True, but none of its maps can be computed again in bands: layer" in err.splitlines()[-1]
    assert not list(folder.glob("*_iter_*"))


def test_a_system_without_sighup_trains(run, folder, monkeypatch):
    monkeypatch.delattr(signal, "SIGHUP")
    assert run("train -solver solver.prototxt")[0] == 0
    assert "sighup_effect" in run("train -solver solver.prototxt -sighup_effect=perhaps")[2]
    with launch._signals_to(None):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


def test_an_interruption_before_the_solver_is_built_is_no_traceback(run, monkeypatch):
    def interrupted(_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("caffe.cli.train.read_solver", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        status, _, err = run("train -solver solver.prototxt")
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 130
    assert "Traceback" not in err


def test_an_interruption_while_modules_load_ends_the_process_at_once(folder):
    (folder / "torch.py").write_text("print('loading', flush=True)\nimport time\ntime.sleep(600)\n")
    with subprocess.Popen(
        [sys.executable, "-m", "caffe", "train", "-solver=solver.prototxt"],
        env={**os.environ, "PYTHONPATH": f"{folder}:{bvlc.ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == -signal.SIGINT


@pytest.fixture
def slow(folder):
    """Start a training of 50 ms an iteration; its Python layer lies in the folder above its net's."""
    (folder / "nets/slow").mkdir(parents=True)
    (folder / "nets/slow/net.prototxt").write_text(SLOW_NET)
    (folder / "nets/sleeper.py").write_text(SLEEPER)
    (folder / "solver.prototxt").write_text(SLOW_SOLVER)
    processes = []

    def start(*flags):
        process = subprocess.Popen(
            [sys.executable, "-m", "caffe", "train", "-solver=solver.prototxt", *flags],
            env={**os.environ, "PYTHONPATH": str(bvlc.ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        for line in process.stderr:
            if "Iteration 1 " in line:
                break
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


def finish(process):
    _, err = process.communicate(timeout=PATIENCE)
    return process.returncode, err


def test_sigint_stops_with_a_snapshot(slow, folder):
    process = slow()
    process.send_signal(signal.SIGINT)
    status, err = finish(process)
    assert status == 0
    assert "Optimization stopped early." in err
    (state,) = folder.glob("s_iter_*.solverstate")
    assert f"Snapshotting solver state to binary proto file {state.name}" in err


@pytest.mark.slow(reason="two processes that load torch; the lock itself has tests of its own")
def test_a_second_training_of_the_same_snapshots_is_refused(slow, run, folder):
    first = slow()
    status, _, err = run("train -solver solver.prototxt")
    assert status == 1
    assert f"process {first.pid} on " in err.splitlines()[-1]
    assert "is training on the same snapshot_prefix" in err.splitlines()[-1]
    first.kill()
    first.wait()
    (folder / "solver.prototxt").write_text(SLOW_SOLVER.replace("1000", "2"))
    assert run("train -solver solver.prototxt")[0] == 0


def test_sighup_saves_and_goes_on(slow, folder):
    process = slow()
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob("s_iter_*.solverstate")) and time.monotonic() < deadline:
        time.sleep(0.05)
    (state,) = folder.glob("s_iter_*.solverstate")
    iteration = int(re.search(r"\d+", state.name)[0])
    for line in process.stderr:
        if f"Iteration {iteration + 2} " in line:
            break
    else:
        pytest.fail("training did not go on")


@pytest.mark.slow(reason="a process that loads torch, for what the tests of signals before it do, too")
def test_the_effects_can_be_changed(slow, folder):
    process = slow("-sigint_effect=none", "-sighup_effect=stop")
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "Iteration 6 " in line:
            break
    process.send_signal(signal.SIGHUP)
    status, err = finish(process)
    assert status == 0
    assert "Optimization stopped early." in err


def test_a_bar_where_there_is_a_terminal(folder):
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "caffe", "train", "-solver=solver.prototxt"],
        env={**os.environ, "PYTHONPATH": str(bvlc.ROOT)},
        stderr=follower,
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while more := os.read(leader, 65536):
                shown += more
        except OSError:
            pass
    os.close(leader)
    assert process.returncode == 0
    assert b"10/10" in shown
    assert re.search(rb"loss \d", shown)
    text = shown.decode().replace("\r\n", "\n")
    lines = [re.split(r"\r|\x1b\[A", line)[-1] for line in text.split("\n")]
    logged.assert_same(
        logged.lines("\n".join(lines)), (bvlc.ROOT / "tests/recorded/train_log.txt").read_text().splitlines()
    )
