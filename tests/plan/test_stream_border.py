"""Nets with a wide constant border, in bands of rows: the same maps, of which the border is not computed."""

import numpy as np
import pytest
import torch

from caffe.layer_types.vision.convolution import Convolution
from tests.cases.case import layer
from tests.plan.nets import build, conv, input, pool, relu
from tests.plan.streaming import assert_equal_to_rounding, computed, in_bands_of
from tests.plan.test_elision import SIZES, vgg

SKIP = layer("side", "Pooling", ["conv1b"], ["side"], "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }")


@pytest.mark.parametrize(("pad", "between"), [(30, ""), (47, SKIP), (100, "")])
@pytest.mark.parametrize("size", SIZES[1:5])
def test_every_map_is_the_whole_one(pad, between, size, monkeypatch):
    net = build(vgg(pad, between, size=size))
    net.forward()
    expected = {name: blob.data.copy() for name, blob in net.blobs.items() if name != "data"}
    for rows in (4, 200):
        in_bands_of(monkeypatch, rows)
        for name, values in computed(net, list(expected), rows).items():
            assert_equal_to_rounding(values, expected[name])


def outputs(patch: pytest.MonkeyPatch) -> dict[str, list[tuple[int, ...]]]:
    """The rows and columns of every map that a convolution computes from now on, by the layer's name."""
    found: dict[str, list[tuple[int, ...]]] = {}
    convolve = Convolution.convolved

    def convolved(self: Convolution, x: torch.Tensor) -> torch.Tensor:
        y = convolve(self, x)
        found.setdefault(self.name, []).append(tuple(y.shape[2:]))
        return y

    patch.setattr(Convolution, "convolved", convolved)
    return found


def test_rows_and_columns_of_the_border_are_not_computed(monkeypatch):
    net = build(vgg(60))
    found = outputs(monkeypatch)
    net.forward()
    short = {name: shapes[0] for name, shapes in found.items()}
    assert short["conv1b"][0] < net.blobs["conv1b"].shape[2]
    assert short["conv1b"][1] < net.blobs["conv1b"].shape[3]
    found.clear()
    in_bands_of(monkeypatch, 4)
    image = net.blobs["data"].data[0].copy()
    list(net.stream(image))
    assert len(found["conv1"]) > 1
    assert {name: (sum(rows for rows, _ in shapes), shapes[0][1]) for name, shapes in found.items()} == short


def test_a_source_in_place_of_a_map_with_a_border():
    net = build(vgg(60))
    net.forward()
    scores, conv1 = net.blobs["score"].data[0].copy(), net.blobs["conv1"].data[0].copy()
    found = np.concatenate([band for _, band in net.stream(conv1, into="conv1")], axis=1)
    assert_equal_to_rounding(found, scores)


def test_a_layer_in_place_does_not_change_what_others_read():
    text = input("data", 1, 3, 20, 17) + conv("a", "data", 3, 3, 40) + pool("b", "a") + relu("b") + conv("c", "b", 2, 1)
    net = build(text)
    net.forward()
    expected = {name: net.blobs[name].data.copy() for name in ("a", "b", "c")}
    for name, values in computed(net, list(expected)).items():
        assert_equal_to_rounding(values, expected[name])


def test_nets_of_the_plan_switched_off_compute_the_border(monkeypatch):
    monkeypatch.setattr("caffe.switches.PLAIN", True)
    net = build(vgg(60))
    found = outputs(monkeypatch)
    list(net.stream(net.blobs["data"].data[0].copy()))
    assert sum(rows for rows, _ in found["conv1"]) == net.blobs["conv1"].shape[2]
