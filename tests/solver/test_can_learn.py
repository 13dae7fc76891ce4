"""Nets that can never learn are refused; nets that start from zeros and can learn are not."""

import math

import numpy as np
import pytest

from caffe.errors import NetError
from caffe.solver import can_learn
from tests.solver.conftest import NET

RANDOM = 'weight_filler { type: "xavier" }'
DATA = """
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 1 dim: 3 dim: 8 dim: 8 } shape { dim: 1 dim: 1 dim: 8 dim: 8 }
  data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 1 } } }
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "SCORES" bottom: "label" top: "loss" }'
PYTHON_LOSS = """
layer { name: "loss" type: "Python" bottom: "SCORES" bottom: "label" top: "loss" loss_weight: 1
  propagate_down: true propagate_down: false
  python_param { module: "tests.solver.python_layers" layer: "Loss" } }
"""
LABELS = """
layer { name: "data" type: "DummyData" top: "data"
  dummy_data_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } data_filler { type: "gaussian" std: 1 } } }
layer { name: "label" type: "Python" top: "label"
  python_param { module: "tests.solver.python_layers" layer: "Labels" param_str: "PARAM" } }
"""

MIXED = LABELS.replace("PARAM", "every class")
"""Labels of every class, because a map that is normalized has no gradient where all positions want the same."""


def conv(name, bottom, filler="", outputs=4, more=""):
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" {more} '
        f"convolution_param {{ num_output: {outputs} kernel_size: 1 {filler} }} }}"
    )


def layer(type_, bottom, top=None, more=""):
    bottoms = " ".join(f'bottom: "{each}"' for each in bottom.split())
    name = f"{type_.lower()} {top or bottom}"
    return f'layer {{ name: "{name}" type: "{type_}" {bottoms} top: "{top or bottom}" {more} }}'


def net(*layers, data=DATA, loss=LOSS, scores="score"):
    return 'name: "net"' + data + "".join(layers) + loss.replace("SCORES", scores)


def deconv(name, bottom, more="", lr_mult=0):
    """A deconvolution of 4 channels, kernel 1 unless `more` says otherwise."""
    more = more if "kernel" in more else f"{more} kernel_size: 1"
    return (
        f'layer {{ name: "{name}" type: "Deconvolution" bottom: "{bottom}" top: "{name}" '
        f"param {{ lr_mult: {lr_mult} }} "
        f"convolution_param {{ num_output: 4 bias_term: false {more} }} }}"
    )


def silence(bottom):
    return f'layer {{ name: "silence {bottom}" type: "Silence" bottom: "{bottom}" }}'


CAN_LEARN = {
    "a zero score layer": net(conv("a", "data", RANDOM), layer("ReLU", "a"), conv("score", "a")),
    "one zero layer and nothing else": net(conv("score", "data")),
    "a zero layer before a layer that is not": net(conv("a", "data"), conv("score", "a", RANDOM)),
    "zero skips that are added up and cropped": net(
        conv("a", "data", RANDOM),
        layer("ReLU", "a"),
        conv("b", "a", RANDOM),
        conv("score_a", "a"),
        conv("score_b", "b"),
        deconv("up", "score_b", "kernel_size: 3"),
        layer("Crop", "up data", "cropped", "crop_param { axis: 2 offset: 1 }"),
        layer("Eltwise", "score_a cropped", "score"),
    ),
    "a zero residual branch": net(
        conv("a", "data", RANDOM),
        conv("branch", "a"),
        layer("Eltwise", "a branch", "sum"),
        layer("ReLU", "sum"),
        conv("score", "sum", RANDOM),
    ),
    "a zero layer whose ReLU leaks": net(
        conv("a", "data"), layer("ReLU", "a", more="relu_param { negative_slope: 0.1 }"), conv("score", "a", RANDOM)
    ),
    "a zero layer with a bias before its ReLU": net(
        conv("a", "data", 'bias_filler { type: "constant" value: 1 }'), layer("ReLU", "a"), conv("score", "a")
    ),
    "two zero layers, the lower one with a bias": net(
        conv("a", "data", 'bias_filler { type: "constant" value: 1 }'), conv("score", "a")
    ),
    "a zero layer that shares the weights of one that learns": net(
        conv("a", "data", RANDOM, 3),
        layer("ReLU", "a"),
        conv("score", "data", "", 3, 'param { name: "w" } param { name: "b" }'),
        conv("twin", "a", "", 3, 'param { name: "w" } param { name: "b" }'),
        layer("ReLU", "twin"),
        silence("twin"),
    ),
    "a zero layer off the way to the loss": net(
        conv("score", "data", RANDOM),
        conv("a", "data"),
        layer("ReLU", "a"),
        silence("a"),
    ),
    "a zero layer that is normalized before its ReLU with a bias": net(
        conv("a", "data"),
        layer("BatchNorm", "a"),
        layer("Scale", "a", more='scale_param { bias_term: true bias_filler { type: "constant" value: 0.5 } }'),
        layer("ReLU", "a"),
        conv("score", "a", RANDOM),
        data=MIXED,
    ),
    "a zero layer whose map is normalized and goes through no ReLU": net(
        conv("a", "data"), layer("BatchNorm", "a"), layer("Scale", "a"), conv("score", "a", RANDOM), data=MIXED
    ),
    "a zero layer normalized by a mean from before": net(
        conv("a", "data"),
        layer(
            "BatchNorm",
            "a",
            more="batch_norm_param { use_global_stats: true } "
            "blobs { shape { dim: 4 } data: [-1, -1, -1, -1] } blobs { shape { dim: 4 } data: [1, 1, 1, 1] } "
            "blobs { shape { dim: 1 } data: 1 }",
        ),
        layer("ReLU", "a"),
        conv("score", "a", RANDOM),
        data=MIXED,
    ),
    "a residual branch whose last scale is zero": net(
        conv("a", "data", RANDOM),
        conv("b", "a", RANDOM),
        layer("BatchNorm", "b"),
        layer("Scale", "b", more="scale_param { filler { value: 0 } bias_term: true }"),
        layer("Eltwise", "a b", "sum"),
        layer("ReLU", "sum"),
        conv("score", "sum", RANDOM),
        data=MIXED,
    ),
    "a zero gate of values that are not": net(
        conv("a", "data", RANDOM),
        conv("gate", "data"),
        layer("Eltwise", "a gate", "b", "eltwise_param { operation: PROD }"),
        conv("score", "b", RANDOM),
    ),
    "frozen layers that are not zero": net(
        conv("a", "data", RANDOM, more="param { lr_mult: 0 } param { lr_mult: 0 }"), conv("score", "a")
    ),
}
CANNOT_LEARN = {
    "nothing was loaded": (
        net(conv("a", "data"), layer("ReLU", "a"), conv("b", "a"), layer("ReLU", "b"), conv("score", "b")),
        "the weights of a, b, score are all zero, and so a, b, score would get no gradient",
    ),
    "a zero layer before a ReLU": (
        net(conv("a", "data"), layer("ReLU", "a"), conv("score", "a", RANDOM)),
        "the weights of a are all zero, and so a, score would get no gradient",
    ),
    "a zero layer before BatchNorm and ReLU": (
        net(conv("a", "data"), layer("BatchNorm", "a"), layer("ReLU", "a"), conv("score", "a", RANDOM), data=MIXED),
        "the weights of a are all zero, and so a, score would get no gradient",
    ),
    "a zero layer before BatchNorm, Scale and ReLU": (
        net(
            conv("a", "data", "bias_term: false"),
            layer("BatchNorm", "a", "n"),
            layer("Scale", "n", more="scale_param { bias_term: true }"),
            layer("ReLU", "n"),
            conv("score", "n", RANDOM),
            data=MIXED,
        ),
        "the weights of a are all zero, and so a, scale n, score would get no gradient",
    ),
    "a zero layer before MVN and ReLU": (
        net(conv("a", "data"), layer("MVN", "a", "n"), layer("ReLU", "n"), conv("score", "n", RANDOM), data=MIXED),
        "the weights of a are all zero, and so a, score would get no gradient",
    ),
    "a zero layer before an absolute value": (
        net(conv("a", "data"), layer("AbsVal", "a", "p"), conv("score", "p", RANDOM)),
        "the weights of a are all zero, and so a, score would get no gradient",
    ),
    "a zero layer before a square": (
        net(conv("a", "data"), layer("Power", "a", "p", "power_param { power: 2 }"), conv("score", "p", RANDOM)),
        "the weights of a are all zero, and so a, score would get no gradient",
    ),
    "the product of two zero layers": (
        net(
            conv("a", "data"),
            conv("b", "data"),
            layer("Eltwise", "a b", "p", "eltwise_param { operation: PROD }"),
            conv("score", "p", RANDOM),
        ),
        "the weights of a, b are all zero, and so a, b, score would get no gradient",
    ),
    "a zero scale before a ReLU": (
        net(
            conv("a", "data", RANDOM),
            layer("Scale", "a", more="scale_param { filler { value: 0 } }"),
            layer("ReLU", "a"),
            conv("score", "a", RANDOM),
        ),
        "the weights of scale a are all zero, and so a, scale a, score would get no gradient",
    ),
    "a trunk above zero layers": (
        net(
            conv("trunk", "data", RANDOM),
            layer("ReLU", "trunk"),
            conv("fc", "trunk"),
            layer("ReLU", "fc"),
            layer("Dropout", "fc"),
            conv("score", "fc"),
        ),
        "the weights of fc, score are all zero, and so trunk, fc, score would get no gradient",
    ),
    "two zero layers in a row": (net(conv("a", "data"), conv("score", "a")), "the weights of a, score are all zero"),
    "two zero layers with others between": (
        net(
            conv("a", "data"),
            layer("Pooling", "a", "p", "pooling_param { kernel_size: 3 stride: 1 pad: 1 }"),
            layer("LRN", "p", "n"),
            conv("score", "n"),
        ),
        "the weights of a, score are all zero",
    ),
    "both of two branches": (
        net(
            conv("trunk", "data", RANDOM),
            conv("a", "trunk"),
            conv("b", "trunk"),
            layer("Eltwise", "a b", "sum"),
            conv("score", "sum"),
        ),
        "a, b, score",
    ),
    "a learned upsampling of a zero score": (
        net(conv("a", "data"), deconv("score", "a", lr_mult=1)),
        "the weights of a, score are all zero",
    ),
    "a frozen upsampling that cannot be filled": (
        net(conv("a", "data", RANDOM, 2), deconv("score", "a")),
        "the weights of score are all zero, and so a would get no gradient",
    ),
    "fully connected layers": (
        NET.replace('weight_filler { type: "xavier" }', ""),
        "the weights of hidden, score are all zero",
    ),
}


@pytest.mark.parametrize("text", CAN_LEARN.values(), ids=CAN_LEARN)
def test_a_net_that_can_learn_is_trained(text, make):
    solver = make("momentum: 0.9", text)
    before = {name: [blob.data.copy() for blob in blobs] for name, blobs in solver.net.params.items()}
    solver.step(4)
    for node in solver.net.nodes:
        if node.layer.type == "Convolution" and node.runs_backward and node.layer.param_propagate_down[0]:
            assert (node.layer.blobs[0].data != before[node.layer.name][0]).any(), f"{node.layer} does not learn"


@pytest.mark.parametrize(("text", "words"), CANNOT_LEARN.values(), ids=CANNOT_LEARN)
def test_a_net_that_can_never_learn_is_refused(text, words, make):
    solver = make("", text)
    with pytest.raises(NetError, match=words) as error:
        solver.step(1)
    assert "--weights" in str(error.value)
    assert solver.iter == 0


@pytest.mark.parametrize(("text", "words"), CANNOT_LEARN.values(), ids=CANNOT_LEARN)
def test_refused_nets_do_not_learn_indeed(text, words, make):
    solver = make("momentum: 0.9", text)
    solver.allow_zero_init = True
    dead = words.split("and so ")[1].split(" would")[0].split(", ") if "and so" in words else []
    before = {name: solver.net.params[name][0].data.copy() for name in dead}
    solver.step(5)
    for name in dead:
        np.testing.assert_array_equal(solver.net.params[name][0].data, before[name])


def test_a_python_loss_may_give_any_gradient(make):
    solver = make("", net(conv("a", "data", RANDOM), conv("score", "a"), loss=PYTHON_LOSS))
    solver.step(1)
    np.testing.assert_allclose(solver.net.params["score"][1].data, [-0.1 * 8 * 8] * 4, rtol=1e-6)


def test_the_environment_switches_the_check_off(make, monkeypatch):
    text, _ = CANNOT_LEARN["nothing was loaded"]
    monkeypatch.setenv("CAFFE_ALLOW_ZERO_INIT", "1")
    make("", text).step(1)
    monkeypatch.setenv("CAFFE_ALLOW_ZERO_INIT", "0")
    with pytest.raises(NetError):
        make("", text).step(1)


@pytest.mark.parametrize("group", [1, 4])
def test_frozen_zero_deconvolutions_are_filled(group, make, lines):
    upsample = deconv("up", "a", f"kernel_size: 4 stride: 2 pad: 1 group: {group}")
    crop = layer("Crop", "up data", "score", "crop_param { axis: 2 }")
    solver = make("", net(conv("a", "data"), upsample, crop))
    weights = solver.net.params["up"][0].data
    assert not weights.any()
    solver.step(1)
    ramp = np.array([0.25, 0.75, 0.75, 0.25])
    for channel in range(4):
        np.testing.assert_allclose(weights[channel, 0 if group == 4 else channel], np.outer(ramp, ramp))
    assert weights.sum() == pytest.approx(4 * 4)
    assert "layer 'up' (Deconvolution): lr_mult is 0 and the weights are all zero" in "\n".join(lines)


def test_deconvolutions_that_learn_or_hold_weights_are_left_alone(make):
    learns, holds = deconv("a", "score", lr_mult=1), deconv("b", "score")
    solver = make("", net(conv("score", "data"), learns, holds, silence("a"), silence("b")))
    solver.net.params["b"][0].data[0, 0] = 5
    solver.step(1)
    assert not solver.net.params["a"][0].data.any()
    assert solver.net.params["b"][0].data.sum() == 5


def test_a_loss_that_stays_at_ln_classes_is_warned_of_once(make, lines, monkeypatch):
    monkeypatch.setattr(can_learn.LossWatch, "AFTER", (2, 4))
    solver = make("base_lr: 0", net(conv("score", "data")))
    solver.step(3)
    assert not any("says the same" in line for line in lines)
    solver.step(5)
    warnings = [line for line in lines if "says the same of all classes" in line]
    assert len(warnings) == 1
    assert (
        "layer 'loss' (SoftmaxWithLoss): after 4 iterations the loss per label is 1.38629, ln 4 = 1.38629"
        in warnings[0]
    )


def test_a_loss_that_falls_is_not(make, lines, monkeypatch):
    monkeypatch.setattr(can_learn.LossWatch, "AFTER", (2, 4))
    make("base_lr: 0.5", net(conv("score", "data"))).step(5)
    assert not any("says the same" in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "labelled"),
    [
        ("", 64),
        ("normalize: false", 64),
        ("normalization: FULL", 64),
        ("normalization: NONE", 64),
        ("normalization: VALID ignore_label: 0", 64),
        ("normalize: false ignore_label: 255", 40),
        ("ignore_label: 255", 40),
        ("normalization: FULL ignore_label: 255", 40),
    ],
)
def test_the_loss_per_pixel_is_shown(settings, labelled, make, lines):
    loss = LOSS.replace('top: "loss"', f'top: "loss" loss_param {{ {settings} }}')
    make("display: 1", net(conv("score", "data"), data=LABELS.replace("PARAM", settings), loss=loss)).step(1)
    (line,) = [line for line in lines if "per pixel" in line]
    ln = f"{math.log(4):g}"
    assert line == f"    Train loss per pixel, loss: {ln} over {labelled} labelled pixels (ln 4 = {ln})"
