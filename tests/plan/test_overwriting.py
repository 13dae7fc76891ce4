"""ReLU in place: written over its bottom where nobody needs the old values, and the same as anywhere else."""

import itertools

import numpy as np
import pytest

import caffe
from tests.cases import all_cases
from tests.cases import run as runner
from tests.cases.case import layer
from tests.cases.compare import difference
from tests.plan.nets import assert_alike, build, conv, diffs, input, plainly, relu, values

IMAGE = input("data", 2, 3, 6, 5)
OVER = {
    "Convolution": conv("x", "data", 4, 3, 1),
    "Deconvolution": layer("x", "Deconvolution", ["data"], ["x"], "convolution_param { num_output: 4 kernel_size: 3 }"),
    "InnerProduct": layer("x", "InnerProduct", ["data"], ["x"], "inner_product_param { num_output: 7 }"),
}
LEAKY = "relu_param { negative_slope: 0.1 }"
PHASES = [caffe.TRAIN, caffe.TEST]


def step(net: caffe.Net) -> caffe.Net:
    net.forward()
    net.blobs[net.outputs[0]].diff[...] = np.random.default_rng(3).normal(size=net.blobs[net.outputs[0]].shape)
    net.backward()
    return net


def plain_step(text: str, phase: int = caffe.TRAIN) -> caffe.Net:
    with plainly():
        return step(build(text, phase))


def overwriting(net: caffe.Net) -> list[str]:
    """The layers that write over their bottoms."""
    return [layer.name for layer in net._run._overwriting.layers.values()]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("before", OVER)
@pytest.mark.parametrize("settings", ["", LEAKY])
def test_values_and_diffs_are_as_without_the_plan(before, settings, phase):
    text = "force_backward: true\n" + IMAGE + OVER[before] + relu("x", settings)
    found, expected = step(build(text, phase)), plain_step(text, phase)
    assert overwriting(found) == ([] if settings else ["relu_x"])
    assert not overwriting(expected)
    assert_alike(values(found), values(expected))
    assert_alike(diffs(found), diffs(expected))
    assert np.abs(found.params["x"][0].diff).max() > 0


@pytest.mark.parametrize("settings", ["", LEAKY])
def test_a_whole_net_learns_the_same(settings):
    text = [
        IMAGE,
        *(conv("a", "data", 4, 3, 1), relu("a", settings), conv("b", "a", 4, 3, 1), relu("b", settings)),
        layer("sum", "Eltwise", ["a", "b"], ["sum"]),
        *(relu("sum"), layer("fc", "InnerProduct", ["sum"], ["fc"], "inner_product_param { num_output: 4 }")),
        *(relu("fc"), layer("loss", "Reduction", ["fc"], ["loss"], "loss_weight: 1")),
    ]
    found, expected = build("\n".join(text), caffe.TRAIN), plain_step("\n".join(text))
    for _ in range(2):
        found.clear_param_diffs()
        step(found)
    assert overwriting(found) == (["relu_fc"] if settings else ["relu_a", "relu_b", "relu_fc"])
    assert_alike(values(found), values(expected))
    assert_alike(diffs(found), diffs(expected))


def chosen() -> list:
    """Two cases of every layer type with one top that gradients flow through."""
    found: dict[str, list] = {}
    for case in all_cases():
        usable = case.type and case.refused is None and not case.random and not case.in_place and case.shapes
        if usable and case.backward and case.forwards == 1 and '"top1"' not in case.text and '"top0"' in case.text:
            found.setdefault(case.type, []).append(case)
    return list(itertools.chain.from_iterable(cases[:2] for cases in found.values()))


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.id)
def test_over_every_layer_type_gradients_are_those_of_a_relu_out_of_place(case):
    """A gradient that needs a layer's tops must not see what a ReLU after it left there."""
    found = []
    for top in ("top0", "rectified"):
        with runner.folder_of(case):
            text = case.prototxt().replace("loss_weight: 1", "") + layer("relu", "ReLU", ["top0"], [top])
            net = runner.build(case, text)
            net.forward()
            net.blobs[top].diff[...] = case.diff("top0", net.blobs[top].shape)
            net.backward()
        gradients = diffs(net)
        found.append(({name: gradients[name] for name in gradients if "bottom" in name or "/" in name}, net.blobs[top]))
    (in_place, one), (expected, other) = found
    np.testing.assert_array_equal(one.data, other.data)
    assert in_place.keys() == expected.keys()
    assert not [name for name in expected if difference(in_place[name], expected[name], 1e-6)]


def test_a_view_of_the_bottom_sees_the_top():
    for settings, slope in (("", 0), (LEAKY, 0.1)):
        net = build(IMAGE + conv("x", "data", 4, 3, 1) + relu("x", settings))
        held = net.blobs["x"].data
        net.forward(end="x")
        before = held.copy()
        net.forward(start="relu_x")
        assert before.min() < 0
        np.testing.assert_allclose(held, np.where(before > 0, before, slope * before), rtol=1e-6)
        assert np.shares_memory(held, net.blobs["x"].data)


def test_a_view_taken_between_sees_the_top():
    net = build(IMAGE + conv("x", "data", 4, 3, 1) + relu("x"))
    net.forward(end="x")
    held = net.blobs["x"].data
    assert held.min() < 0
    net.forward(start="relu_x")
    assert held.min() == 0


def test_the_image_is_not_written_over():
    net = build(IMAGE + relu("data"))
    assert not overwriting(net)
    text = input("data", 2, 3, 6, 5) + layer("s", "Split", ["data"], ["a", "b"]) + relu("a") + conv("x", "b", 2, 1)
    found, expected = build(text), plain_step(text)
    found.forward()
    assert_alike(values(found), values(expected))
    assert found.blobs["data"].data.min() < 0


@pytest.mark.parametrize("before", OVER)
def test_no_other_memory_is_taken(before):
    net = build(IMAGE + OVER[before] + relu("x"))
    net.forward(end="x")
    place = net.blobs["x"].tensor.data_ptr()
    net.forward(start="relu_x")
    assert net.blobs["x"].tensor.data_ptr() == place


def test_the_gradient_passes_where_the_top_is_above_zero():
    net = build("force_backward: true\n" + input("data", 1, 5) + relu("data"), caffe.TRAIN)
    net.blobs["data"].data[...] = [-1, -1e-6, 0, 1e-6, 1]
    net.forward()
    net.blobs["data"].diff[...] = 3
    net.backward()
    assert net.blobs["data"].diff.tolist() == [[0, 0, 0, 3, 3]]
