"""What the tables of cases of the forks' types share."""

import math

import numpy as np

import caffe
from caffe.formats import prototxt
from caffe.proto import caffe_pb2

RNG = np.random.default_rng(5)


def distinct(*shape):
    """Numbers without ties, away from kinks."""
    return (RNG.permutation(math.prod(shape)).reshape(shape) - math.prod(shape) / 2 + 0.25) / 10


def layer(type_, body=""):
    return f'layer {{ type: "{type_}" {body} }}'


def loops(shape, value):
    """An array of this shape, of value(*indices)."""
    y = np.zeros(shape)
    for index in np.ndindex(*shape):
        y[index] = value(*index)
    return y


def net_of(text, values, tops=1, phase=caffe.TEST, force_backward=False):
    """A net of one layer named "layer", fed these values; its tops are y, y1, …"""
    message = caffe_pb2.NetParameter(force_backward=force_backward)
    for index, value in enumerate(values):
        source = message.layer.add(name=f"x{index}", type="Input", top=[f"x{index}"])
        source.input_param.shape.add(dim=value.shape)
    layer_param = message.layer.add()
    parsed = prototxt.parse(text, caffe_pb2.NetParameter())
    prototxt.upgrade_net(parsed, "net_of")
    layer_param.CopyFrom(parsed.layer[0])
    layer_param.name = "layer"
    layer_param.top.extend(["y", *(f"y{index}" for index in range(1, tops))])
    layer_param.bottom.extend(f"x{index}" for index in range(len(values)))
    message.state.phase = phase
    net = caffe.Net.from_message(message)
    for index, value in enumerate(values):
        net.blobs[f"x{index}"].data[...] = value
    return net
