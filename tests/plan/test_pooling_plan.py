"""Max pooling a few rows at a time gives what torch's own gives: the same values, and gradients to the same pixels."""

import pytest
import torch
import torch.nn.functional as F

import caffe
from caffe.ops import functions
from caffe.ops.calls import MaxPooling, Sizes
from caffe.plan import pooling
from tests.plan.nets import assert_alike, build, diffs, input, plainly, pool, values


def pays(x: torch.Tensor, kernel: Sizes, stride: Sizes, pad: Sizes) -> bool:
    return pooling.pays(MaxPooling(x, kernel, stride, pad, ceil=True))


def whole_numbers(*shape: int) -> torch.Tensor:
    """With many equal ones side by side."""
    return torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(sum(shape))).float()


@pytest.mark.parametrize("cached", [1, 700, pooling.CACHED])
@pytest.mark.parametrize("ceil", [True, False])
@pytest.mark.parametrize("size", [(3, 3), (7, 8), (12, 5), (30, 41)])
@pytest.mark.parametrize("pad", [(0, 0), (1, 1), (0, 1), (1, 0)])
@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 3)), ((2, 3), (3, 1))])
def test_values_and_gradients(kernel, stride, pad, size, ceil, cached, monkeypatch):
    monkeypatch.setattr(pooling, "CACHED", cached)
    x, y, grads = whole_numbers(2, 16, *size), [], []
    for function in (
        lambda x: pooling.max_pool(MaxPooling(x, kernel, stride, pad, ceil)),
        lambda x: F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil),
    ):
        leaf = x.clone().requires_grad_()
        y.append(function(leaf))
        grads.append(torch.autograd.grad(y[-1], leaf, whole_numbers(*y[-1].shape) + 1)[0])
    assert torch.equal(*y)
    assert torch.equal(*grads)


def test_a_nan_is_passed_on():
    x = whole_numbers(1, 16, 6, 6)
    x[0, 3, 2, 2] = torch.nan
    assert torch.equal(
        pooling.max_pool(MaxPooling(x, (3, 3), (2, 2), (1, 1), True)).isnan(),
        F.max_pool2d(x, 3, 2, 1, ceil_mode=True).isnan(),
    )


def test_no_images():
    x = torch.zeros(0, 16, 64, 128, requires_grad=True)
    assert pays(x, (2, 2), (2, 2), (0, 0))
    y = pooling.max_pool(MaxPooling(x, (2, 2), (2, 2), (0, 0), True))
    assert y.shape == (0, 16, 32, 64)
    assert torch.autograd.grad(y.sum(), x)[0].shape == x.shape


@pytest.mark.parametrize("ceil", [True, False])
@pytest.mark.parametrize("size", [(3, 3), (7, 8), (12, 5)])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"),
    [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (2, 1)), ((3, 2), (1, 3), (1, 1)), ((2, 3), (3, 1), (0, 1))],
)
def test_slices_hold_what_torchs_own_function_gives(kernel, stride, pad, size, ceil):
    call = MaxPooling(whole_numbers(2, 3, *size), kernel, stride, pad, ceil)
    with plainly():
        expected = functions.MAX_POOL2D(call)
    assert torch.equal(pooling.largest_of_slices(call), expected)


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_a_net_computes_the_same(phase, method, monkeypatch):
    monkeypatch.setattr(pooling, "MIN_COMPARED", 1)

    def step() -> caffe.Net:
        text = input("data", 1, 20, 23, 31) + pool("pool1", "data", 3, 2, method) + pool("pool2", "pool1", 2, 2, method)
        net = build("force_backward: true\n" + text, phase)
        net.forward()
        net.blobs["pool2"].diff[...] = whole_numbers(*net.blobs["pool2"].shape)
        net.backward()
        return net

    found = step()
    with plainly():
        expected = step()
    assert_alike(values(found), values(expected))
    assert_alike(diffs(found), diffs(expected))


def test_where_it_is_not_taken():
    x, two, one, none = torch.zeros(1, 16, 64, 128, requires_grad=True), (2, 2), (1, 1), (0, 0)
    assert pays(x, two, two, none)
    assert pays(x, two, two, one)
    assert not pays(x, two, two, two)
    assert not pays(x[..., :127], two, two, none)
    assert pays(x[..., :127], two, one, none)
    assert not pays(x.view(1, 8, 128, 128), two, two, none)
    assert not pays(x.detach(), two, two, none)
    with torch.no_grad():
        assert not pays(x, two, two, none)
