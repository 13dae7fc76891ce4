"""Small nets for the tests of the plan, computed with it and without."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import caffe
from caffe import plan, switches
from caffe.formats.prototxt import parse
from caffe.plan import winograd
from caffe.plan.capabilities import Capability
from caffe.proto import caffe_pb2
from tests.cases.case import input_layer, layer
from tests.cases.compare import difference

for module in pkgutil.iter_modules(plan.__path__):
    importlib.import_module(f"caffe.plan.{module.name}")  # so that capabilities.CAPABILITIES has all of them


@contextmanager
def plainly() -> Iterator[None]:
    """What is built and computed here has no plan, as with CAFFE_PLAN=plain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switches, "PLAIN", True)
        yield


@contextmanager
def without(*ways: Capability) -> Iterator[None]:
    """What is computed here has not these ways, as on a machine where they do not work."""
    with pytest.MonkeyPatch.context() as patch:
        for way in ways:
            patch.setattr(way, "_works", False)
        yield


@contextmanager
def wanted() -> Iterator[list[Capability]]:
    """The ways, of those that work here, that are asked for meanwhile."""
    found: list[Capability] = []

    def works(way: Capability, ask: Callable[[Capability], bool] = Capability.works.fget) -> bool:
        if way not in found and ask(way):
            found.append(way)
        return ask(way)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Capability, "works", property(works))
        yield found


def always_by_winograd(patch: pytest.MonkeyPatch) -> None:
    """Layers are convolved that way however small they are."""
    patch.setattr(winograd, "MIN_BREADTH", 0)
    for table in (winograd.BREAK_EVEN, winograd.MIN_TILES, winograd.KERNEL_TRANSFORM):
        for key in table:
            patch.setitem(table, key, 0)


def build(text: str, phase: int = caffe.TEST, seed: int = 0) -> caffe.Net:
    """A net with drawn parameters and inputs: the same for the same text."""
    message = parse(text, caffe_pb2.NetParameter())
    message.state.phase = phase
    net = caffe.Net.from_message(message)
    rng = np.random.default_rng(seed)
    for blob in (blob for blobs in net.params.values() for blob in blobs):
        blob.data[...] = rng.normal(size=blob.shape) / np.sqrt(max(1, blob.count // blob.shape[0]))
    fill(net, seed)
    return net


def fill_with_whole_numbers(net: caffe.Net) -> None:
    """Small ones, whose sums are exact in whatever order a machine adds: it breaks no ties between equal pixels."""
    rng = np.random.default_rng(0)
    for blob in (blob for blobs in net.params.values() for blob in blobs):
        blob.data[...] = rng.integers(-1, 2, blob.shape)
    for name in net.inputs:
        net.blobs[name].data[...] = rng.integers(-2, 3, net.blobs[name].shape)


def fill(net: caffe.Net, seed: int = 0) -> None:
    rng = np.random.default_rng(seed + 1)
    for name in net.inputs:
        net.blobs[name].data[...] = rng.normal(size=net.blobs[name].shape)


def values(net: caffe.Net) -> dict[str, np.ndarray]:
    return {name: blob.data.copy() for name, blob in net.blobs.items()}


def diffs(net: caffe.Net) -> dict[str, np.ndarray]:
    found = {name: blob.diff.copy() for name, blob in net.blobs.items()}
    for name, blobs in net.params.items():
        found.update({f"{name}/{index}": blob.diff.copy() for index, blob in enumerate(blobs)})
    return found


def assert_alike(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float = 1e-6) -> None:
    assert found.keys() == expected.keys()
    lines = {name: difference(found[name], expected[name], tolerance) for name in expected}
    different = {name: line for name, line in lines.items() if line}
    assert not different, different


def conv(name: str, bottom: str, outputs: int, size: int, pad: int = 0, **settings: int) -> str:
    more = " ".join(f"{key}: {value}" for key, value in settings.items())
    body = f"convolution_param {{ num_output: {outputs} kernel_size: {size} pad: {pad} {more} }}"
    return layer(name, "Convolution", [bottom], [name], body)


def relu(blob: str, settings: str = "") -> str:
    return layer(f"relu_{blob}", "ReLU", [blob], [blob], settings)


def pool(name: str, bottom: str, size: int = 2, stride: int = 2, method: str = "MAX") -> str:
    body = f"pooling_param {{ pool: {method} kernel_size: {size} stride: {stride} }}"
    return layer(name, "Pooling", [bottom], [name], body)


def input(name: str, *shape: int) -> str:
    return input_layer(name, shape)
