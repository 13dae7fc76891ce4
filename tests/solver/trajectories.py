"""Solver trajectories, run with whatever `import caffe` is: real Caffe in the chroot, this one outside."""

from __future__ import annotations

import functools
import itertools
import os
import tempfile

import numpy as np

ITERATIONS = 8
PROJECTIONS = 4

NET = """
name: "trajectory"
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 4 } } }
layer { name: "hidden" type: "InnerProduct" bottom: "x" top: "hidden"
        param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
        inner_product_param { num_output: 4 } }
layer { name: "fixed" type: "InnerProduct" bottom: "hidden" top: "fixed" param { lr_mult: 0 }
        inner_product_param { num_output: 4 bias_term: false } }
layer { name: "tanh" type: "TanH" bottom: "fixed" top: "fixed" }
layer { name: "score" type: "InnerProduct" bottom: "fixed" top: "score" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "t" top: "loss" loss_weight: 2 }
"""

SOLVERS = {
    "SGD": "base_lr: 0.1 momentum: 0.9",
    "Nesterov": "base_lr: 0.1 momentum: 0.9",
    "AdaGrad": "base_lr: 0.1 delta: 1e-7",
    "RMSProp": "base_lr: 0.02 rms_decay: 0.95",
    "AdaDelta": "base_lr: 1 momentum: 0.95 delta: 1e-6",
    "Adam": "base_lr: 0.05 momentum: 0.9 momentum2: 0.99",
}
POLICIES = {
    "fixed": "",
    "step": "gamma: 0.5 stepsize: 4",
    "exp": "gamma: 0.9",
    "inv": "gamma: 0.1 power: 0.75",
    "multistep": "gamma: 0.3 stepvalue: 3 stepvalue: 5 stepvalue: 6",
    "poly": "power: 0.9",
    "sigmoid": "gamma: 0.8 stepsize: 6",
}
DECAYS = {
    "L2": "weight_decay: 0.02",
    "L1": 'weight_decay: 0.01 regularization_type: "L1"',
}
CLIPS = {"no clip": "", "clip": "clip_gradients: 0.6"}
SIZES = {"iter_size 1": "", "iter_size 2": "iter_size: 2"}


def cases() -> dict[str, str]:
    """Name → solver settings: every solver with every policy: plain, and with every decay, clipping and iter_size."""
    found = {}
    for solver, policy in itertools.product(SOLVERS, POLICIES):
        plain = f'type: "{solver}" lr_policy: "{policy}" {SOLVERS[solver]} {POLICIES[policy]}'
        found[f"{solver}, {policy}"] = plain
        for decay, clip, size in itertools.product(DECAYS, CLIPS, SIZES):
            found[f"{solver}, {policy}, {decay}, {clip}, {size}"] = " ".join(
                [plain, DECAYS[decay], CLIPS[clip], SIZES[size]]
            )
    return found


@functools.cache
def batch(iteration: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.RandomState(100 + iteration)
    return draw.standard_normal((4, 3)).astype(np.float32), draw.randint(0, 3, 4).astype(np.float32)


def run(settings: dict[str, str]) -> dict[str, np.ndarray]:
    """For each case its losses (before each update) and all parameters and updates after the last one."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            found = {}
            for name, text in settings.items():
                found.update({f"{name}/{key}": values for key, values in _run_one(text).items()})
            return found
        finally:
            os.chdir(before)


def _run_one(settings: str) -> dict[str, np.ndarray]:
    solver = start(settings)
    losses = train(solver, ITERATIONS)
    return {"losses": losses, **outcome(solver)}


def start(settings: str):
    """A solver in the working directory, with weights drawn from a seed."""
    import caffe

    with open("net.prototxt", "w") as file:
        file.write(NET)
    with open("solver.prototxt", "w") as file:
        file.write(f'net: "net.prototxt" max_iter: 20 snapshot_prefix: "s" {settings}')
    solver = caffe.get_solver("solver.prototxt")
    draw = np.random.RandomState(7)
    for blob in _params(solver):
        blob.data[...] = draw.standard_normal(blob.data.shape)
    return solver


def train(solver, iterations: int) -> np.ndarray:
    """Go on for so many iterations; the loss of each."""
    losses = []
    for _ in range(iterations):
        solver.net.blobs["x"].data[...], solver.net.blobs["t"].data[...] = batch(solver.iter)
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
    return np.array(losses, np.float32)


def outcome(solver) -> dict[str, np.ndarray]:
    return {
        "params": np.concatenate([blob.data.ravel() for blob in _params(solver)]),
        "updates": np.concatenate([blob.diff.ravel() for blob in _params(solver)]),
    }


def projected(values: np.ndarray) -> np.ndarray:
    """A few numbers that are others if any of `values` is: what is recorded of them."""
    return np.random.RandomState(0).standard_normal((PROJECTIONS, values.size)) @ values.astype(np.float64)


def _params(solver):
    return [blob for layer in solver.net.params.values() for blob in layer]


def save_and_go_on(settings: str) -> dict[str, np.ndarray]:
    """Half of the iterations, a snapshot, the other half."""
    solver = start(settings)
    train(solver, ITERATIONS // 2)
    solver.snapshot()
    return {"losses": train(solver, ITERATIONS // 2), **outcome(solver)}


def resume(settings: str) -> dict[str, np.ndarray]:
    """The other half, from the snapshot in the working directory."""
    solver = start(settings)
    suffix = ".h5" if "HDF5" in settings else ""
    solver.restore(f"s_iter_{ITERATIONS // 2}.solverstate{suffix}")
    return {"losses": train(solver, ITERATIONS // 2), **outcome(solver)}
