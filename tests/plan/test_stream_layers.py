"""Layers that say which rows of their bottoms they take, in bands: the same maps, in every case of the tables."""

import dataclasses

import pytest

import caffe
from caffe.layer_types.base import TorchLayer
from tests.cases import all_cases
from tests.cases import run as runner
from tests.cases.case import Case
from tests.plan.streaming import assert_equal_to_rounding, computed, in_bands_of

CASES = [
    dataclasses.replace(case, phase="TEST", force_backward=False, backward=False)
    for case in all_cases()
    if case.type and case.refused is None and not case.in_place and not case.random and not case.files
]

STREAMED = [
    "AbsVal",
    "ArgMax",
    "BNLL",
    "BatchNorm",
    "Bias",
    "Clip",
    "Concat",
    "Convolution",
    "Crop",
    "Deconvolution",
    "ELU",
    "Eltwise",
    "Exp",
    "LRN",
    "Log",
    "PReLU",
    "Pooling",
    "Power",
    "ReLU",
    "Scale",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Swish",
    "TanH",
    "Threshold",
]
"""Types of which at least one case must be computed in bands."""


def streams(net: caffe.Net) -> bool:
    node = next(node for node in net.nodes if node.layer.name == "layer")
    shapes = [blob.shape for blob in (*node.bottom, *node.top)]
    if not isinstance(node.layer, TorchLayer) or any(len(shape) != 4 or 0 in shape for shape in shapes):
        return False
    return node.layer.rows(*shapes[: len(node.bottom)]) is not None


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}: {case.id}")
def test_bands_give_the_map(case: Case, monkeypatch):
    with runner.folder_of(case):
        net = runner.build(case)
        if not streams(net):
            return
        expected = {name: values.copy() for name, values in net.forward().items()}
        for rows in (1, 2, 5):
            in_bands_of(monkeypatch, rows)
            for name, values in computed(net, list(expected), rows).items():
                assert_equal_to_rounding(values, expected[name])


def test_the_types_that_stream():
    found = set()
    for case in CASES:
        if case.type in STREAMED and case.type not in found:
            with runner.folder_of(case):
                if streams(runner.build(case)):
                    found.add(case.type)
    assert sorted(found) == sorted(STREAMED)
