"""The tables of ways to compute operations."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from caffe.ops import functions
from caffe.ops.operation import Operation, Way
from caffe.plan import ways
from tests.plan.nets import build, conv, input, plainly

OPERATIONS = [operation for operation, _ in ways.TABLES]
NAMES = ["conv2d", "conv_transpose2d", "max_pool2d", "channel_mean", "relu_gradient"]
LAYERS = {
    "convolution": 'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 pad: 1 }',
    "deconvolution": 'type: "Deconvolution" convolution_param { num_output: 4 kernel_size: 3 pad: 1 }',
    "max pooling": 'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }',
    "LRN": 'type: "LRN" lrn_param { local_size: 3 }',
}


def refuse(*given):
    raise AssertionError("this way was asked")


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_torchs_own_way_is_the_last_and_always_pays(operation):
    assert [way.name for way in operation.ways].index("torch") == len(operation.ways) - 1 > 0
    assert operation.ways[-1].pays(None)


def test_every_operation_that_has_ways_has_a_table():
    assert {id(each) for each in vars(functions).values() if isinstance(each, Operation)} == set(map(id, OPERATIONS))


@pytest.mark.parametrize(("operation", "layer"), list(zip(OPERATIONS, LAYERS.values(), strict=False)), ids=LAYERS)
def test_without_the_plan_a_table_has_one_row(operation, layer, monkeypatch):
    others = [replace(way, pays=refuse) for way in operation.ways[:-1]]
    monkeypatch.setattr(operation, "ways", (*others, operation.ways[-1]))
    net = build(input("data", 1, 4, 6, 5) + f'layer {{ name: "x" bottom: "data" top: "x" {layer} }}')
    with plainly():
        net.forward()
    with pytest.raises(AssertionError, match="this way was asked"):
        net.forward()


def test_that_row_is_torchs_function():
    net = build(input("data", 1, 4, 6, 5) + conv("x", "data", 4, 3, 1))
    with plainly():
        net.forward()
    weight, bias = (blob.tensor for blob in net.params["x"])
    assert torch.equal(net.blobs["x"].tensor, F.conv2d(net.blobs["data"].tensor, weight, bias, padding=1))


@pytest.mark.parametrize("chosen", range(3))
def test_the_first_way_that_pays_is_taken(chosen):
    taken = []

    def way(index: int) -> Way[int]:
        return Way(str(index), lambda call: index >= chosen, lambda call: taken.append(index) or torch.tensor(call))

    operation = Operation(torch.tensor)
    operation.ways = (*map(way, range(3)), *operation.ways)
    assert operation(7) == 7
    assert taken == [chosen]


def test_a_way_runs_with_what_it_prepared():
    operation = Operation(torch.tensor)
    operation.ways = (
        Way("double", lambda call: True, lambda call, made: torch.tensor(call + made), lambda call: 2 * call),
    )
    assert operation(4) == 12
