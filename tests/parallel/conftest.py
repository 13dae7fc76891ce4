"""Trainings in processes of their own, on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.formats import caffemodel
from tests.cases.data_files import datum, write_lmdb

ROOT = Path(__file__).resolve().parents[2]

NET = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "lmdb" backend: LMDB batch_size: 2 } transform_param { scale: 0.01 } }
layer { name: "hidden" type: "InnerProduct" bottom: "data" top: "hidden"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "hidden" top: "hidden" }
layer { name: "score" type: "InnerProduct" bottom: "hidden" top: "score"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.1 momentum: 0.9 weight_decay: 0.01 lr_policy: "fixed" random_seed: 3
max_iter: 6 display: 2 snapshot: 4 test_iter: 1 test_interval: 3
"""


@pytest.fixture
def folder(tmp_path):
    """A net, its solvers, of which one.prototxt is for one process, and seven images."""
    rng = np.random.RandomState(0)
    images = [rng.randint(0, 256, (3, 4, 5)).astype(np.uint8) for _ in range(7)]
    write_lmdb(tmp_path / "lmdb", [datum(image, index % 3) for index, image in enumerate(images)])
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER + 'snapshot_prefix: "two"')
    (tmp_path / "one.prototxt").write_text(SOLVER + 'snapshot_prefix: "one" iter_size: 2')
    return tmp_path


@pytest.fixture
def start(folder):
    """start("-m caffe train") → the process of `python -m caffe train`, which sees no GPU."""
    processes = []
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    paths = f"{ROOT}:{ROOT / 'data_layers'}"

    def start_process(arguments):
        processes.append(
            subprocess.Popen(
                [sys.executable, *arguments.split()],
                cwd=folder,
                env={**environment, "PYTHONPATH": paths},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield start_process
    for process in processes:
        process.terminate()
        process.wait()
        process.stderr.close()


@pytest.fixture
def finish(start):
    """finish("-m caffe train") → (exit status, stderr)."""

    def run(arguments):
        process = start(arguments)
        _, err = process.communicate(timeout=300)
        return process.returncode, err

    return run


@pytest.fixture
def alone(folder, monkeypatch):
    """alone() → the weights after the same training in this one process, two batches an iteration."""

    def train():
        monkeypatch.chdir(folder)
        solver = caffe.get_solver("one.prototxt")
        solver.solve()
        return weights(folder / "one_iter_6.caffemodel")

    return train


def weights(path):
    """All weights in a caffemodel, as one row."""
    return np.concatenate([blob.ravel() for layer in caffemodel.read(path) for blob in layer.blobs])
