"""What the forks' types say of themselves is so, in every case of their tables."""

import numpy as np
import pytest
import torch

import caffe
from caffe.layer_types.base.registry import BY_SETTINGS
from caffe.net.fork_names import TYPES
from tests.forks import cases
from tests.forks.forms import net_of
from tests.test_traits import looked_at

CASES = cases.every()


def node_of(name, values=None):
    text, shapes, settings = CASES[name]
    given = values or settings.get("values") or [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    given = [np.asarray(value).reshape(shape) for value, shape in zip(given, shapes, strict=True)]
    phase = caffe.TRAIN if settings.get("train", True) else caffe.TEST
    net = net_of(text, given, settings.get("tops", 1), phase, force_backward=True)
    for blob in net.params.get("layer", []):
        blob.data[...] = np.random.default_rng(1).normal(size=blob.data.shape)
    net.forward()
    return net.nodes[-1]


LAYERS = {name: node_of(name).layer for name in CASES}


def saying(trait):
    """Of traits that depend on the parameters' values a layer has a method."""

    def said(layer):
        method = getattr(layer, trait, None)
        return method() if method else getattr(layer.traits, trait)

    return pytest.mark.parametrize("name", [name for name in CASES if said(LAYERS[name])])


@saying("replayable")
def test_a_replayable_type_looks_at_no_value(name):
    node = node_of(name)
    assert not looked_at(node, backward=False)


@saying("zero_at_zero")
def test_zeros_give_zeros(name):
    node = node_of(name, [np.zeros(shape) for shape in CASES[name][1]])
    assert not any(blob.data.any() for blob in node.top)


@saying("flat_at_zero")
def test_zeros_get_no_gradient(name):
    node = node_of(name, [np.zeros(shape) for shape in CASES[name][1]])
    for blob in node.top:
        blob.grad = torch.ones(blob.shape)
    node.layer.backward(node.top, node.layer.propagate_down, node.bottom)
    assert not any(blob.diff.any() for blob in node.bottom)


def test_every_type_of_a_table_has_its_fork():
    assert all(node_of(name).layer.type in (*TYPES, *BY_SETTINGS) for name in CASES)
