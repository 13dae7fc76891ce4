"""Masks, regions, sizes and weights of boxes may come from layers that learn: they are taken for constants."""

import numpy as np
import pytest

import caffe
from caffe import forks, layer_types
from caffe.formats import prototxt
from caffe.layer_types.base import layer_class
from caffe.proto import caffe_pb2
from tests.forks import cases

layer_types.load()
forks.load()
CASES = cases.every()


def type_of(name):
    return prototxt.parse(CASES[name][0], caffe_pb2.NetParameter()).layer[0].type


def given_constants(name):
    return [index for index in layer_class(type_of(name)).constant if index < len(CASES[name][1])]


@pytest.mark.parametrize("name", [name for name in CASES if given_constants(name)])
def test_a_constant_bottom_gets_a_gradient_of_zeros(name):
    text, shapes, settings = CASES[name]
    values = settings.get("values") or [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    message = caffe_pb2.NetParameter()
    message.state.phase = caffe_pb2.TRAIN
    layer = prototxt.parse(text, caffe_pb2.NetParameter()).layer[0]
    layer.name = "layer"
    for index, shape in enumerate(shapes):
        source = message.layer.add(name=f"x{index}", type="Input", top=[f"x{index}"])
        source.input_param.shape.add(dim=shape)
        learned = message.layer.add(name=f"z{index}", type="Bias", bottom=[f"x{index}"], top=[f"z{index}"])
        learned.bias_param.axis = 0
        learned.bias_param.num_axes = 0
        layer.bottom.append(f"z{index}")
    layer.top.extend(["y", *(f"y{index}" for index in range(1, settings.get("tops", 1)))])
    del layer.loss_weight[:]
    layer.loss_weight.extend([1] * len(layer.top))
    message.layer.append(layer)
    net = caffe.Net.from_message(message)
    for index, value in enumerate(values):
        net.blobs[f"x{index}"].data[...] = np.reshape(value, shapes[index])
    net.forward()
    net.backward()
    for index in given_constants(name):
        assert not net.blobs[f"z{index}"].diff.any()
    assert net.blobs["z0"].diff.any()


def test_masks_regions_and_sizes_are_constants():
    types = {type_of(name) for name in CASES if given_constants(name)}
    wanted = {"ROIPooling", "PSROIPooling", "ROIAlign", "Upsample", "Unpooling", "Interp", "SmoothL1Loss"}
    assert wanted <= types
