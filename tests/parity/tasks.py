"""What is run on both sides with whole nets and solvers of this repository: Python 3.9, pycaffe's own API."""

from __future__ import annotations

import os
import sys

import numpy as np

FIRST_LAYER = 100  # the weights of a net's first layer are so much smaller: it sees pixels
REPEATED = 1_000_003
SAMPLES = 1000


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


def train_reference(argument: list) -> dict:
    """A few iterations of solver.prototxt from weights drawn here, relatively disturbed, then its test nets: every
    output of both, and what the parameters and their last updates are, as norms and samples."""
    import caffe

    iterations, disturbance = argument
    solver = caffe.get_solver("solver.prototxt")
    first = True
    for name, blobs in solver.net.params.items():
        fan_in = blobs[0].data[0].size
        blobs[0].data.flat = _drawn(blobs[0].count, name) / np.sqrt(fan_in) / (FIRST_LAYER if first else 1)
        blobs[1].data.flat = _drawn(blobs[1].count, name) * 0.1
        for blob in blobs:
            blob.data[...] *= 1 + disturbance * _drawn(blob.count, name + "disturbed").reshape(blob.data.shape)
        first = False
    found = {}
    for iteration in range(iterations):
        solver.step(1)
        found.update({f"train/{iteration}/{key}": value for key, value in _outputs(solver.net).items()})
    for name, blobs in solver.net.params.items():
        for index, blob in enumerate(blobs):
            found[f"param/{name}/{index}"] = _summary(blob.data)
            found[f"update/{name}/{index}"] = _summary(blob.diff)
    for number, net in enumerate(solver.test_nets):
        net.share_with(solver.net)
        for batch in range(2):
            net.forward()
            found.update({f"test{number}/{batch}/{key}": value for key, value in _outputs(net).items()})
    return found


def _drawn(count: int, name: str) -> np.ndarray:
    """Normal numbers; those of large blobs repeat themselves."""
    return np.resize(np.random.RandomState(len(name)).standard_normal(min(count, REPEATED)).astype(np.float32), count)


def _outputs(net) -> dict:
    return {name: net.blobs[name].data.copy() for name in net.outputs}


def _summary(values: np.ndarray) -> np.ndarray:
    """Root of the mean square, and some of the values."""
    flat = values.ravel()
    squares = sum(float(np.dot(part, part)) for part in np.array_split(flat, SAMPLES))
    return np.append(np.sqrt(squares / flat.size), flat[:: max(1, flat.size // SAMPLES)])


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
