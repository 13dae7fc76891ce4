"""The table of ways to convolve."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from caffe.plan import neighbours, pooling, ways
from tests.plan.nets import build, conv, input, plainly

NET = input("data", 1, 4, 6, 5) + conv("x", "data", 4, 3, 1)


def refuse(*given):
    raise AssertionError("this way was asked")


def test_without_the_plan_the_table_has_the_last_row_alone(monkeypatch):
    others = [replace(row, pays=refuse, run=refuse) for row in ways.ROWS[:-1]]
    monkeypatch.setattr(ways, "ROWS", (*others, ways.ROWS[-1]))
    net = build(NET)
    with plainly():
        net.forward()
    weight, bias = (blob.tensor for blob in net.params["x"])
    assert torch.equal(net.blobs["x"].tensor, F.conv2d(net.blobs["data"].tensor, weight, bias, padding=1))
    with pytest.raises(AssertionError, match="this way was asked"):
        net.forward()


@pytest.mark.parametrize("chosen", range(len(ways.ROWS)))
def test_the_first_way_that_pays_is_taken(chosen, monkeypatch):
    taken = []

    def row(index):
        run = ways.ROWS[-1].run
        return ways.Row(str(index), lambda c: index >= chosen, lambda c: taken.append(index) or run(c))

    monkeypatch.setattr(ways, "ROWS", tuple(map(row, range(len(ways.ROWS)))))
    build(NET).forward()
    assert taken == [chosen]


def test_some_way_always_pays():
    assert ways.ROWS[-1].name == "torch"
    assert ways.ROWS[-1].pays(None)


@pytest.mark.parametrize(
    ("text", "module", "function"),
    [
        ('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }', pooling, "largest_of_slices"),
        ('type: "LRN" lrn_param { local_size: 3 }', neighbours, "_by_slices"),
    ],
    ids=["max pooling", "LRN"],
)
def test_without_the_plan_nothing_is_computed_by_slices(text, module, function, monkeypatch):
    net = build(input("data", 1, 4, 6, 5) + f'layer {{ name: "x" bottom: "data" top: "x" {text} }}')
    net.blobs["data"].data[...] = torch.randn(1, 4, 6, 5).numpy()
    net.forward()
    expected = net.blobs["x"].data.copy()
    monkeypatch.setattr(module, function, refuse)
    with plainly():
        net.forward()
    assert abs(net.blobs["x"].data - expected).max() < 1e-6
    with pytest.raises(AssertionError, match="this way was asked"):
        net.forward()
