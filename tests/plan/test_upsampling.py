"""A bilinear deconvolution as two products of matrices."""

import pytest
import torch
import torch.nn.functional as F

import caffe
from caffe.plan import upsampling
from fcn_caffe.surgery import upsample_filt
from tests.cases.case import layer
from tests.plan.nets import assert_alike, build, conv, diffs, input, plainly, values


def bilinear(size: int, channels: int = 3) -> torch.Tensor:
    kernel = torch.from_numpy(upsample_filt(size)).float()
    return torch.eye(channels)[:, :, None, None] * kernel


@pytest.mark.parametrize(("size", "stride"), [(4, 2), (16, 8), (64, 32), (63, 32), (3, 2), (1, 1), (5, 7)])
@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("map_size", [(1, 3), (4, 5), (6, 2)])
def test_it_is_the_deconvolution(size, stride, pad, map_size):
    pad = min(pad, size - 1)
    weight, x = bilinear(size), torch.randn(2, 3, *map_size, generator=torch.Generator().manual_seed(0))
    factors = upsampling.factors(weight)
    assert factors.shape == (2, size)
    expected = F.conv_transpose2d(x.double(), weight.double(), stride=stride, padding=pad)
    found = upsampling.spread(x, factors, (stride, stride), (pad, pad))
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-6)


def test_rows_and_columns_may_differ():
    weight = torch.eye(2)[:, :, None, None] * torch.outer(torch.tensor([1.0, -2, 3, 0]), torch.tensor([4.0, 5, 0, 6]))
    x = torch.randn(1, 2, 3, 4)
    expected = F.conv_transpose2d(x, weight, stride=(3, 2), padding=(0, 1))
    found = upsampling.spread(x, upsampling.factors(weight), (3, 2), (0, 1))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def changed(at: tuple, by: float) -> torch.Tensor:
    weight = bilinear(4)
    weight[at] += by
    return weight


REFUSED = {
    "one channel gives to another": changed((0, 1, 2, 2), 1e-3),
    "all channels give to all": bilinear(4)[:1, :1].expand(3, 3, 4, 4),
    "channels are spread unequally": changed((2, 2), 0.01),
    "no column times a row": bilinear(4) + 0.1 * torch.eye(3)[:, :, None, None] * torch.eye(4),
    "a learned kernel": torch.eye(3)[:, :, None, None] * torch.randn(4, 4, generator=torch.Generator().manual_seed(0)),
    "zeros": torch.zeros(3, 3, 4, 4),
    "more outputs than channels": torch.ones(1, 2, 4, 4),
    "a rectangular kernel": torch.ones(1, 1, 4, 3),
    "not a number": torch.full((1, 1, 2, 2), torch.nan),
}


@pytest.mark.parametrize("weight", REFUSED.values(), ids=list(REFUSED))
def test_other_kernels_are_refused(weight):
    assert len(upsampling.factors(weight)) == 0


def test_that_a_kernel_is_another_is_found_once(monkeypatch):
    """To look for factors takes a look at values, for which a GPU must be waited."""
    body = "param { lr_mult: 0 } convolution_param { num_output: 3 kernel_size: 4 stride: 2 bias_term: false }"
    net = build(input("data", 1, 3, 3, 5) + layer("up", "Deconvolution", ["data"], ["up"], body))
    looks, factors = [], upsampling.factors
    monkeypatch.setattr(upsampling, "factors", lambda weight: looks.append(weight) or factors(weight))
    for _ in range(3):
        net.forward()
    assert len(looks) == 1


def step(settings: str, weight: torch.Tensor, phase: int, bias: str = "bias_term: false") -> caffe.Net:
    body = f"param {{ lr_mult: 0 }} convolution_param {{ {settings} {bias} }}"
    up = layer("up", "Deconvolution", ["score"], ["up"], body)
    loss = layer("loss", "Reduction", ["up"], ["loss"], "loss_weight: 1 reduction_param { operation: SUMSQ }")
    net = build(input("data", 2, 3, 3, 5) + conv("score", "data", 4, 1) + up + loss, phase)
    assert net.params["up"][0].shape == tuple(weight.shape)
    net.params["up"][0].data[...] = weight.numpy()
    net.forward()
    net.backward()
    return net


NETS = {
    "bilinear": ("num_output: 4 kernel_size: 4 stride: 2", bilinear(4, 4)),
    "with a pad": ("num_output: 4 kernel_size: 16 stride: 8 pad: 4", bilinear(16, 4)),
    "dilated": ("num_output: 4 kernel_size: 4 dilation: 2", bilinear(4, 4)),
    "in groups": ("num_output: 8 kernel_size: 4 stride: 2 group: 2", bilinear(4, 4)),
    "channel by channel": ("num_output: 4 kernel_size: 4 stride: 2 group: 4", bilinear(4, 4).sum(1, keepdim=True)),
}


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
@pytest.mark.parametrize("bias", ["bias_term: false", "bias_term: true"])
@pytest.mark.parametrize(("settings", "weight"), NETS.values(), ids=list(NETS))
def test_a_layer_computes_the_same(settings, weight, bias, phase):
    found = step(settings, weight, phase, bias)
    with plainly():
        expected = step(settings, weight, phase, bias)
    assert_alike(values(found), values(expected))
    assert_alike(diffs(found), diffs(expected))


def test_a_fixed_layer_does_take_this_way(monkeypatch):
    spread, calls = upsampling.spread, []
    monkeypatch.setattr(upsampling, "spread", lambda *given: calls.append(given) or spread(*given))
    step(*NETS["bilinear"], caffe.TRAIN)
    assert len(calls) == 1
    with plainly():
        step(*NETS["bilinear"], caffe.TRAIN)
    assert len(calls) == 1
    step(NETS["dilated"][0], NETS["dilated"][1], caffe.TRAIN)
    assert len(calls) == 1
