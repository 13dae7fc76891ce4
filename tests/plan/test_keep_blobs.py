"""Nets that give up each blob as soon as no later layer takes it: the same outputs."""

import numpy as np
import pytest

import caffe
from caffe.errors import UsageError
from tests.cases.case import input_layer, layer
from tests.plan.nets import assert_alike, build, conv, relu

TEXT = (
    input_layer("data", (1, 3, 9, 8))
    + conv("conv1", "data", 4, 3)
    + relu("conv1")
    + conv("conv2", "conv1", 2, 3)
    + conv("side", "conv1", 2, 3)
    + layer("sum", "Eltwise", ["conv2", "side"], ["sum"])
)


def lean_net(text: str = TEXT) -> caffe.Net:
    net = build(text, caffe.TEST)
    net.keep_blobs = False
    return net


def test_outputs_are_those_of_a_net_that_keeps_all():
    expected = build(TEXT, caffe.TEST).forward()["sum"]
    net = lean_net()
    for _ in range(3):
        assert_alike(net.forward(), {"sum": expected}, 1e-5)


def test_a_blob_that_was_given_up_says_how_to_keep_it():
    net = lean_net()
    net.forward()
    for name in ("conv1", "conv2", "side"):
        with pytest.raises(UsageError, match=rf"blob '{name}'.*forward\(blobs=\['{name}'\]\).*keep_blobs = True"):
            net.blobs[name].data  # noqa: B018


def test_inputs_and_outputs_stay():
    net = lean_net()
    net.blobs["data"].data[...] = 1
    net.forward()
    assert (net.blobs["data"].data == 1).all()
    assert net.blobs["sum"].data.any()


def test_forward_keeps_what_it_names():
    kept = build(TEXT, caffe.TEST)
    kept.forward()
    found = lean_net().forward(blobs=["conv1", "side"])
    assert sorted(found) == ["conv1", "side", "sum"]
    for name, values in found.items():
        assert (values == kept.blobs[name].data).all()


def test_a_part_of_the_layers_keeps_what_later_ones_take():
    expected = build(TEXT, caffe.TEST).forward()["sum"]
    net = lean_net()
    assert sorted(net.forward(end="conv2")) == ["conv2"]
    assert np.allclose(net.forward(start="side")["sum"], expected, atol=1e-6)


def test_a_view_keeps_its_values():
    net = lean_net()
    view = net.forward(blobs=["conv2"])["conv2"]
    before = view.copy()
    net.forward()
    assert np.allclose(view, before, atol=1e-6)
    assert (net.blobs["conv2"].data == view).all()


def test_what_is_written_to_a_blob_meanwhile_counts():
    net, kept = lean_net(), build(TEXT, caffe.TEST)
    kept.forward()
    net.forward(end="relu_conv1")
    net.blobs["conv1"].data[...] = kept.blobs["conv1"].data
    first = net._layer_names[net._layer_names.index("relu_conv1") + 1]
    assert np.allclose(net.forward(start=first)["sum"], kept.blobs["sum"].data, atol=1e-5)


def test_a_parameter_given_as_a_blob_stays():
    text = TEXT + layer("p", "Parameter", [], ["p"], "parameter_param { shape { dim: 3 } }")
    net = lean_net(text + layer("abs", "AbsVal", ["p"], ["abs"]))
    net.params["p"][0].data[...] = [-1, 2, -3]
    for _ in range(2):
        assert (net.forward()["abs"] == [1, 2, 3]).all()
    assert (net.params["p"][0].data == [-1, 2, -3]).all()


def test_a_training_needs_its_blobs():
    net = build(TEXT, caffe.TRAIN)
    with pytest.raises(UsageError, match="keep_blobs = False in phase TRAIN.*keep_diffs"):
        net.keep_blobs = False
    assert net.keep_blobs
    assert np.isfinite(net.forward()["sum"]).all()


CONSTANT = 'dummy_data_param { shape { dim: 4 } data_filler { type: "constant" value: 2 } }'
SCALED = (
    layer("four", "DummyData", [], ["four"], CONSTANT)
    + conv("conv1", "data", 4, 3)
    + layer("out", "Scale", ["conv1", "four"], ["out"])
)


class FilledOnce(caffe.Layer):
    """Its top has the values that setup gave it, as Caffe lets it."""

    def setup(self, bottom, top):
        top[0].reshape(4)
        top[0].data[...] = 3

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        pass


@pytest.mark.parametrize("factor", ["DummyData", "Python"])
def test_values_that_a_layer_gave_its_top_once_stay(factor):
    text = SCALED
    if factor == "Python":
        settings = f'python_param {{ module: "{__name__}" layer: "FilledOnce" }}'
        text = text.replace(
            layer("four", "DummyData", [], ["four"], CONSTANT), layer("four", "Python", [], ["four"], settings)
        )
    net = build(input_layer("data", (1, 3, 9, 8)) + text, caffe.TEST)
    expected = net.forward()["out"].copy()
    assert expected.any()
    net.keep_blobs = False
    for _ in range(3):
        assert_alike(net.forward(), {"out": expected}, 1e-6)


@pytest.mark.parametrize("name", ["keep_blobs", "keep_diffs"])
def test_what_is_neither_true_nor_false_is_refused(name):
    net = build(TEXT, caffe.TEST)
    for value in ("no", None, 2, 0.5):
        with pytest.raises(UsageError, match=f"{name} = .*, expected True or False"):
            setattr(net, name, value)
        assert getattr(net, name) is True
    setattr(net, name, np.bool_(False))
    assert getattr(net, name) is False


def test_one_name_or_any_sequence_of_names_is_kept():
    net = lean_net()
    assert sorted(net.forward(blobs="conv1")) == ["conv1", "sum"]
    assert sorted(net.forward(blobs=("conv1", "side"))) == ["conv1", "side", "sum"]
