"""What is run on both sides with whole nets and solvers of this repository: Python 3.9, pycaffe's own API."""

from __future__ import annotations

import os
import sys

import numpy as np


def shapes_of_net(phase: str) -> dict:
    """The shape of every blob and parameter of net.prototxt in the working directory."""
    import caffe

    return _shapes(caffe.Net("net.prototxt", getattr(caffe, phase)))


def shapes_of_solver(argument: object) -> dict:
    """The same for the train net and the test nets of solver.prototxt."""
    import caffe

    solver = caffe.get_solver("solver.prototxt")
    found = _shapes(solver.net)
    for index, net in enumerate(solver.test_nets):
        found.update({f"test{index}/{name}": shape for name, shape in _shapes(net).items()})
    return found


def _shapes(net) -> dict:
    found = {name: np.array(blob.shape) for name, blob in net.blobs.items()}
    for layer, blobs in net.params.items():
        found.update({f"{layer}/{index}": np.array(blob.shape) for index, blob in enumerate(blobs)})
    return found


def train(argument: dict) -> dict:
    """The losses of `steps` iterations of solver `solver`, which starts from `weights` or the solver state `restore`.
    With `snapshot`, one is taken at the end."""
    sys.path.insert(0, os.path.join(os.environ["CHECKOUT"], "data_layers"))
    import caffe

    solver = caffe.get_solver(argument["solver"])
    if "weights" in argument:
        solver.net.copy_from(argument["weights"])
    if "restore" in argument:
        solver.restore(argument["restore"])
    losses = []
    for _ in range(argument["steps"]):
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
    if argument.get("snapshot"):
        solver.snapshot()
    return {"losses": np.array(losses), "iter": np.array(solver.iter)}
