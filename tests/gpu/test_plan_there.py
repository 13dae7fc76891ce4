"""How the plan goes about it where values lie on a GPU."""

from contextlib import nullcontext

import pytest
import torch

import caffe
from caffe import device
from caffe.blob import short_map
from tests.gpu.pretended import pretended_gpu
from tests.gpu.real import on_each_gpu
from tests.gpu.test_replay import trained
from tests.plan.nets import assert_alike, build, conv, input, relu


@on_each_gpu
@pytest.mark.parametrize(("precision", "last"), [("fp32", False), ("tf32", True), ("bf16", True)])
def test_channels_go_last_for_tensor_cores(precision, last, gpu):
    with gpu():
        caffe.set_precision(precision)
        net = build(input("data", 2, 3, 9, 8) + conv("conv", "data", 4, 3) + relu("conv") + conv("next", "conv", 5, 3))
        net.forward()
        layouts = {net.blobs[name].tensor.is_contiguous(memory_format=torch.channels_last) for name in ("conv", "next")}
    assert layouts == {last}


@on_each_gpu
@pytest.mark.parametrize("keep_diffs", [True, False])
@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 1e-5), ("bf16", 0.05)])
def test_training_there_as_here_in_less_precision(precision, tolerance, keep_diffs, gpu):
    if gpu is not pretended_gpu:
        tolerance = max(tolerance, 1e-2)
    _, here = trained(nullcontext, precision=precision, keep_diffs=keep_diffs, turns=4)
    _, there = trained(gpu, precision=precision, keep_diffs=keep_diffs, turns=4)
    for now, then in zip(there, here, strict=True):
        assert_alike(now, then, tolerance=tolerance)


SHORT = (short_map.Short((2, 5), (4, 3)), short_map.Short((1, 3), (0, 6)))
LONGER = (short_map.Short((2, 7), (2, 1)), short_map.Short((1, 3), (0, 2)))


@on_each_gpu
@pytest.mark.parametrize("wanted", [None, LONGER, (SHORT[0], LONGER[1]), SHORT])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_short_maps_are_made_longer_there_as_here(layout, wanted, gpu):
    short = torch.randn(2, 3, 9, 8).to(memory_format=layout)
    here = short_map.lengthen(short, SHORT, wanted)
    with gpu():
        there = short_map.lengthen(short.to(device.current()), SHORT, wanted)
        assert there.is_contiguous(memory_format=layout)
        assert torch.equal(there.cpu(), here)
