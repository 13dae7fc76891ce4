"""Coordinate maps, and the crops that follow from them."""

import numpy as np
import pytest

from caffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    coord_map,
    coord_map_from_to,
    crop,
    inverse,
)
from caffe.errors import NetError
from caffe.net_spec import NetSpec
from caffe.net_spec import layers as L


def data():
    return L.Input(shape={"dim": [1, 3, 100, 100]})


def offset(top_from, top_to):
    return crop(top_from, top_to).fn.params["crop_param"]["offset"]


# Of a kernel of size k, stride s and padding p, output y is centred on input s y + (k - 1) / 2 - p.
MAPS = {
    "a 3x3 convolution loses a pixel": (L.Convolution(data(), kernel_size=3), 1, -1),
    "padding gives it back": (L.Convolution(data(), kernel_size=3, pad=1), 1, 0),
    "a 2x2 pooling steps by two": (L.Pooling(data(), kernel_size=2, stride=2), 1 / 2, -1 / 4),
    "settings inside their message": (L.Pooling(data(), pooling_param={"kernel_size": 2, "stride": 2}), 1 / 2, -1 / 4),
    "dilation widens a kernel": (L.Convolution(data(), kernel_size=3, dilation=2), 1, -2),
    "AlexNet's first layer": (L.Convolution(data(), kernel_size=11, stride=4, pad=100), 1 / 4, 95 / 4),
    "a deconvolution is the inverse": (
        L.Deconvolution(data(), convolution_param={"kernel_size": 4, "stride": 2, "pad": 1}),
        2,
        1 / 2,
    ),
    "a crop moves": (L.Crop(data(), data(), crop_param={"axis": 2, "offset": 7}), 1, -7),
    "a crop without settings": (L.Crop(data(), data()), 1, 0),
}


@pytest.mark.parametrize(("top", "scale", "shift"), MAPS.values(), ids=MAPS)
def test_map_of_a_layer(top, scale, shift):
    axis, found_scale, found_shift = coord_map(top.fn)
    assert (axis, found_scale, found_shift) == (1, scale, shift)


@pytest.mark.parametrize(
    "type_name", ["ReLU", "Dropout", "Concat", "Slice", "Softmax", "Clip", "Swish", "LRN", "Scale"]
)
def test_a_layer_that_keeps_pixels_in_place(type_name):
    assert coord_map(getattr(L, type_name)(data()).fn) == (None, 1, 0)


@pytest.mark.parametrize(
    "top",
    [
        L.InnerProduct(data(), num_output=3),
        L.Flatten(data()),
        L.Pooling(data(), global_pooling=True),
        L.Concat(data(), data(), axis=2),
        L.Slice(data(), slice_param={"axis": 3}),
        L.Python(data(), module="m", layer="l"),
    ],
    ids=lambda top: top.fn.type_name,
)
def test_a_layer_without_a_map(top):
    with pytest.raises(UndefinedMapException, match=top.fn.type_name):
        coord_map(top.fn)


def test_a_map_and_its_inverse_make_the_identity():
    there = coord_map(L.Convolution(data(), kernel_size=5, stride=3, pad=1).fn)
    axis, scale, shift = compose(inverse(there), there)
    assert (axis, scale) == (1, 1)
    np.testing.assert_allclose(shift, 0, atol=1e-12)


def test_maps_of_different_axes_do_not_compose():
    with pytest.raises(AxisMismatchException, match="after 1 cannot follow one of the axes after 2"):
        compose((1, 1, 0), (2, 1, 0))


def test_pooling_and_deconvolution_by_a_stride_that_has_no_exact_inverse():
    n = NetSpec()
    n.data = data()
    n.pool = L.Pooling(L.Pooling(n.data, kernel_size=7, stride=7), kernel_size=7, stride=7)
    n.up = L.Deconvolution(n.pool, convolution_param={"kernel_size": 49, "stride": 49})
    assert offset(n.up, n.data) == [0]


def test_every_axis_has_its_own_offset():
    top = data()
    conv = L.Convolution(top, kernel_size=[3, 5, 7], pad=[1, 4, 9])
    assert offset(conv, top) == [0, 2, 6]


def test_a_crop_is_written_with_axis_and_offset():
    top = data()
    made = crop(L.Convolution(top, kernel_size=3, pad=100), top)
    assert made.fn.params == {"crop_param": {"axis": 2, "offset": [99]}}
    assert made.fn.inputs[1] is top


def test_a_crop_between_blobs_of_one_geometry():
    top = data()
    assert crop(L.ReLU(top), top).fn.params == {"crop_param": {"axis": 2, "offset": [0]}}


def test_the_reference_of_a_crop_is_not_on_the_way():
    n = NetSpec()
    n.data, n.other = data(), data()
    n.cropped = L.Crop(L.Convolution(n.data, kernel_size=1, pad=5), n.other, crop_param={"offset": 2})
    assert offset(n.cropped, n.data) == [3]
    with pytest.raises(NetError, match="Could not compute map between tops; are they connected by spatial layers?"):
        coord_map_from_to(n.cropped, n.other)


def test_two_branches_meet_at_their_common_ancestor():
    top = data()
    left = L.Concat(L.Convolution(top, kernel_size=3, pad=1), L.Pooling(top, kernel_size=3, pad=1))
    assert offset(L.Convolution(left, kernel_size=5, pad=6), L.ReLU(top)) == [4]


def test_thirty_modules_of_four_branches_are_walked_at_once():
    bottom = top = data()
    for _ in range(30):
        top = L.Concat(*(L.Convolution(top, kernel_size=1) for _ in range(4)))
    assert offset(top, bottom) == [0]


def named(**settings):
    n = NetSpec()
    n.data = data()
    n.down = L.Pooling(n.data, kernel_size=2, stride=2)
    n.up = L.Deconvolution(n.down, convolution_param=settings)
    return n


# What is wrong, Caffe's words for it, and what else the message must tell.
REFUSED = [
    (
        named(kernel_size=6, stride=3),
        r"scale mismatch on crop \(a = \[0\.66",
        "multiply the stride of the upsampling to 'up'",
    ),
    (
        named(kernel_size=2, stride=2, pad=3),
        r"cannot crop negative offset \(b = \[3",
        r"legal offset is \[0\].*by that much",
    ),
    (named(kernel_size=3, stride=2), r"cannot crop noninteger offset \(b = \[-0\.5", "nearest legal offset is"),
]


@pytest.mark.parametrize(("n", "words", "remedy"), REFUSED)
def test_a_crop_that_cannot_be(n, words, remedy):
    with pytest.raises(AssertionError, match=words) as caught:
        crop(n.up, n.data)
    assert isinstance(caught.value, RuntimeError)
    caught.match(r"crop of 'up' \(Deconvolution\) to 'data' \(Input\)")
    caught.match(remedy)


def test_settings_by_height_and_width_are_refused():
    top = data()
    with pytest.raises(AssertionError, match="kernel_h, kernel_w: cropping does not support legacy _h/_w params"):
        crop(L.Convolution(top, kernel_h=3, kernel_w=3), top)
