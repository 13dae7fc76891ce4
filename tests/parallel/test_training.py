"""Two solvers train as one does that takes two batches an iteration."""

import os
import signal

import lmdb
import numpy as np
import pytest

from tests.cli.test_train import SLEEPER, SLOW_NET, SLOW_SOLVER
from tests.data_layers.conftest import voc  # noqa: F401 - a fixture
from tests.data_layers.driver import MEAN
from tests.parallel.conftest import weights

TORCHRUN = "-m torch.distributed.run --nproc-per-node 2 --standalone -m caffe train -solver=solver.prototxt"
SEGMENTATION = """
layer { name: "data" type: "Python" top: "data" top: "label"
  python_param { module: "voc_layers" layer: "VOCSegDataLayer" param_str: "PARAMS" } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 21 kernel_size: 1 weight_filler { type: "gaussian" std: 0.001 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 } }
"""
PYCAFFE = """
import sys
from multiprocessing import Process
import caffe

def solve(rank, uid):
    caffe.set_solver_count(2)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)
    solver = caffe.SGDSolver("solver.prototxt")
    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)
    solver.step(6)
    solver.net.save(f"rank{rank}.caffemodel")

if __name__ == "__main__":
    uid = caffe.NCCL.new_uid()
    processes = [Process(target=solve, args=(rank, uid)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
"""

PARTING = """
import weakref
import torch.distributed
import caffe

nccl = caffe.NCCL(caffe.SGDSolver("solver.prototxt"), caffe.NCCL.new_uid())
sent, all_reduce = [], torch.distributed.all_reduce

def watched(values, *given, **named):
    sent.append(weakref.ref(values))
    return all_reduce(values, *given, **named)

torch.distributed.all_reduce = watched
nccl.largest(3)
assert len(sent) == 1 and sent[0]() is not None
nccl.close()
"""


@pytest.mark.slow(reason="a process that loads torch")
def test_the_last_communications_tensors_live_until_solvers_part(folder, finish):
    (folder / "parting.py").write_text(PARTING)
    status, err = finish("parting.py")
    assert status == 0, err


@pytest.mark.slow(reason="three processes that load torch")
def test_several_devices(folder, finish, alone):
    status, err = finish("-m caffe train -solver=solver.prototxt -gpu=0,1")
    assert status == 0, err
    found = weights(folder / "two_iter_6.caffemodel")
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found, alone(), rtol=1e-5, atol=1e-6)
    for line in ("Iteration 4, lr = ", "Iteration 3, Testing net (#0)", "Snapshotting solver state", "Solving "):
        assert err.count(line) == 1 + (line == "Snapshotting solver state")


@pytest.mark.slow(reason="three processes that load torch; torchrun starts what several devices start, too")
def test_torchrun_and_a_python_data_layer(folder, finish, alone, voc):  # noqa: F811
    params = {"voc_dir": str(voc), "split": "train", "mean": MEAN, "seed": 1337}
    (folder / "net.prototxt").write_text(SEGMENTATION.replace("PARAMS", str(params)))
    for solver in folder.glob("*.prototxt"):
        text = solver.read_text().replace("test_iter: 1 test_interval: 3", "")
        solver.write_text(text.replace("base_lr: 0.1", "base_lr: 1e-5"))
    status, err = finish(TORCHRUN)
    assert status == 0, err
    found = weights(folder / "two_iter_6.caffemodel")
    np.testing.assert_allclose(found, alone(), rtol=1e-5, atol=1e-6)


@pytest.mark.slow(reason="two processes that load torch, for what the command does, too")
def test_pycaffe(folder, finish, alone):
    (folder / "train.py").write_text(PYCAFFE)
    status, err = finish("train.py")
    assert status == 0, err
    first, second = (weights(folder / f"rank{rank}.caffemodel") for rank in range(2))
    assert (first == second).all()
    np.testing.assert_allclose(first, alone(), rtol=1e-5, atol=1e-6)


@pytest.mark.slow(reason="three processes that load torch, for one message")
def test_an_error_of_one_ends_all(folder, finish):
    with lmdb.open(str(folder / "lmdb")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"00000003", b"no Datum")
    text = (folder / "solver.prototxt").read_text()
    (folder / "solver.prototxt").write_text(text.replace("test_iter: 1 test_interval: 3", ""))
    status, err = finish("-m caffe train -solver=solver.prototxt -gpu=0,1")
    assert status == 1
    assert "caffe: layer 'data' (Data): '00000003' of 'lmdb' is not a Datum message." in err
    assert "of 2 failed; all have been ended." in err.splitlines()[-1]


@pytest.mark.slow(reason="three processes that load torch; one that fails ends them in the same way")
def test_sigint_stops_all_with_a_snapshot(folder, start):
    (folder / "nets/slow").mkdir(parents=True)
    (folder / "nets/slow/net.prototxt").write_text(SLOW_NET)
    (folder / "nets/sleeper.py").write_text(SLEEPER)
    (folder / "solver.prototxt").write_text(SLOW_SOLVER)
    process = start("-m caffe train -solver=solver.prototxt -gpu=0,1")
    for line in process.stderr:
        if "Iteration 1 " in line:
            break
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err.count("Optimization stopped early.") == 1
    assert len(list(folder.glob("s_iter_*.solverstate"))) == 1
