"""Runs one case with whatever `import caffe` is: real Caffe in the chroot, this one outside. Only pycaffe's own API."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager

import numpy as np

from tests.cases.case import Case


def build(case: Case, text: str | None = None, disturb: float = 0):
    """The case's net with the case's parameters and inputs in it, those that are real numbers relatively disturbed."""
    import caffe

    with tempfile.NamedTemporaryFile("w", suffix=".prototxt", delete=False) as file:
        file.write(text or case.prototxt())
    try:
        phase = getattr(caffe, case.phase)
        net = caffe.Net(file.name, phase, level=case.level, stages=list(case.stages))
    finally:
        os.unlink(file.name)
    set_values(net, case, disturb)
    if case.before:
        net.forward()
        for name in case.before:
            net.blobs[name].reshape(*case.shapes[name])
        set_values(net, case, disturb)
        net.reshape()
    return net


def set_values(net, case: Case, disturb: float = 0) -> None:
    rng = np.random.RandomState(0)
    for layer, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            values = case.param(layer, index, net.layer_dict[layer].type, blob.data.shape)
            if values is not None:
                blob.data[...] = values
            blob.data[...] *= 1 + disturb * rng.standard_normal(blob.data.shape)
    for name in net.inputs:
        blob = net.blobs[name]
        blob.data[...] = case.input(name, blob.data.shape)
        if name not in case.kinds:
            blob.data[...] *= 1 + disturb * rng.standard_normal(blob.data.shape)


def forward(net, case: Case) -> dict:
    """All forward passes: what is in every blob that is no input, and in parameters that the pass changed."""
    before = {(layer, i): blob.data.copy() for layer, blobs in net.params.items() for i, blob in enumerate(blobs)}
    found = {}
    inputs = [] if case.in_place else net.inputs
    for time in range(case.forwards):
        suffix = f"@{time}" if time else ""
        net.forward()
        for name, blob in net.blobs.items():
            if name not in inputs:
                found[f"blob/{name}{suffix}"] = blob.data.copy()
    for (layer, i), old in before.items():
        now = net.params[layer][i].data
        if not np.array_equal(now, old):
            found[f"param/{layer}/{i}"] = now.copy()
    return found


def set_top_diffs(net, case: Case) -> None:
    """Every output gets a drawn diff, except where a loss weight already is, or where no gradient is asked for."""
    weights = net.blob_loss_weights
    for name in net.outputs:
        if case.force_backward and not weights[name]:
            net.blobs[name].diff[...] = case.diff(name, net.blobs[name].diff.shape)


def backward(net, case: Case) -> dict:
    set_top_diffs(net, case)
    net.backward()
    skip = set() if case.type == "" or case.in_place else set(net.outputs)
    found = {f"diff/{name}": blob.diff.copy() for name, blob in net.blobs.items() if name not in skip}
    for layer, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            found[f"grad/{layer}/{i}"] = blob.diff.copy()
    return found


@contextmanager
def folder_of(case: Case):
    """The case's files in a fresh folder: the working directory, and on Python's path. None if it has no files."""
    if case.files is None:
        yield None
        return
    from pathlib import Path

    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        case.files(Path(folder))
        os.chdir(folder)
        sys.path.insert(0, folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)
            sys.path.remove(folder)


def run_case(case: Case, disturb: float = 0) -> dict:
    """Name → array of everything that is compared."""
    net = build(case, disturb=disturb)
    found = forward(net, case)
    if case.random:
        found = {name + ".shape": np.array(value.shape) for name, value in found.items()}
    if case.backward:
        gradients = backward(net, case)
        if not case.random:
            found.update(gradients)
    return found


def run_case_dict(case: dict) -> dict:
    return run_case(Case.from_dict(case))
