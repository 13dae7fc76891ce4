"""Maps with the channels of a pixel side by side: the same values as in the other layout."""

import pytest
import torch
import torch.nn.functional as F

import caffe
from caffe.ops.calls import MaxPooling
from caffe.ops.layout import is_side_by_side, laid_out_like, side_by_side
from caffe.plan import pooling
from caffe.plan.capabilities import drawn
from caffe.plan.side_by_side import CAPABILITY
from tests.plan.nets import build, conv, input

SHAPES = {"one image": (1, 5, 7, 3), "several": (3, 4, 2, 9), "one pixel": (2, 6, 1, 1), "one channel": (2, 1, 4, 5)}
works = pytest.mark.skipif(not CAPABILITY.works, reason="oneDNN has no products of bfloat16 on this CPU")


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_another_layout_has_the_same_values(shape, kind):
    x = drawn(*shape, kind=kind)
    y = side_by_side(x)
    assert torch.equal(x, y)
    assert y.dtype == kind
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert side_by_side(y) is y


def test_parts_of_maps_are_laid_out_side_by_side():
    whole = drawn(2, 6, 8, 5)
    for part in (whole[:, 1:4], whole[:, :, ::2], whole.flip(3), whole[1:, :, 2:7, 1:3]):
        y = side_by_side(part)
        assert torch.equal(part, y)
        assert y.is_contiguous(memory_format=torch.channels_last)


def test_a_map_is_laid_out_like_another():
    x, other = drawn(2, 3, 4, 5), drawn(2, 3, 4, 5)
    assert laid_out_like(x, other) is x
    assert is_side_by_side(laid_out_like(x, side_by_side(other)))
    assert not is_side_by_side(drawn(4, 5))


@pytest.mark.parametrize("settings", [((2, 2), (2, 2), (0, 0), True), ((3, 2), (2, 1), (1, 0), False)])
def test_max_pooling_in_either_layout(settings):
    x = drawn(2, 18, 9, 11).round()  # with equal numbers among them
    found = []
    for laid_out in (x, side_by_side(x)):
        bottom = laid_out.clone().requires_grad_()
        top = pooling.max_pool(MaxPooling(bottom, *settings))
        assert is_side_by_side(top) == is_side_by_side(laid_out)
        (gradient,) = torch.autograd.grad(top, bottom, drawn(*top.shape))
        found.append((top, gradient))
    (top, gradient), (other_top, other_gradient) = found
    assert torch.equal(top, other_top)
    assert torch.equal(gradient, other_gradient)


@pytest.fixture
def any_precision():
    before = caffe.precision()
    yield
    caffe.set_precision(before)


def learning(*layers: str) -> caffe.Net:
    return build(input("data", 2, 6, 9, 8) + "force_backward: true " + "".join(layers), phase=caffe.TRAIN)


@works
def test_learning_convolutions_hand_each_other_such_maps(any_precision):
    caffe.set_precision("bf16")
    net = learning(conv("a", "data", 8, 3, 1), conv("b", "a", 8, 3, 1))
    net.blobs["data"].data[...] = drawn(2, 6, 9, 8)
    net.forward()
    assert is_side_by_side(net.blobs["a"].tensor)
    shown = net.blobs["a"].data
    assert shown.flags.c_contiguous
    bottom, weight, bias = net.blobs["data"].tensor, *(blob.tensor for blob in net.params["a"])
    expected = F.conv2d(bottom.bfloat16().float(), weight.bfloat16().float(), bias, padding=1)
    assert torch.allclose(torch.from_numpy(shown), expected, atol=2**-7 * float(expected.abs().max()))
    net.blobs["b"].diff[...] = drawn(2, 8, 9, 8)
    net.backward()
    for blob in (*net.params["a"], *net.params["b"], net.blobs["data"]):
        assert blob.diff.flags.c_contiguous
        assert blob.diff.any()


@works
def test_dropout_drops_the_same_values_in_either_layout(any_precision):
    kept = []
    for precision in ("fp32", "bf16"):
        caffe.set_precision(precision)
        net = learning(
            conv("a", "data", 8, 1, 0),
            'layer { name: "d" type: "Dropout" bottom: "a" top: "d" dropout_param { dropout_ratio: 0.4 } }',
        )
        net.params["a"][0].data[...] = 1
        net.blobs["data"].data[...] = 1
        caffe.set_random_seed(3)
        net.forward()
        kept.append(torch.from_numpy(net.blobs["d"].data != 0))
    assert torch.equal(*kept)
    assert 0 < kept[0].float().mean() < 1
