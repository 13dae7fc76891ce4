"""Losses of boxes, hard examples, embeddings, against forms in NumPy."""

import math

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.testing import check_layer
from tests.forks.forms import RNG, distinct, layer, net_of


def smooth(d, sigma):
    return np.where(np.abs(d) < 1 / sigma**2, sigma**2 * d**2 / 2, np.abs(d) - 0.5 / sigma**2)


def boxes(sigma, *, each=False, divisor=None):
    def form(a, b, inside=1, outside=1):
        losses = outside * smooth(inside * (a - b), sigma)
        total = losses.sum() / (divisor or len(a))
        return [total, losses.sum(1, keepdims=True)] if each else total

    return form


def log_softmax(x):
    return x - np.log(np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)) - x.max(1, keepdims=True)


def hard(scores, labels):
    log_p = log_softmax(scores)
    each = -np.take_along_axis(log_p, labels.reshape(len(scores), 1, *scores.shape[2:]).astype(int), 1)
    return [each.sum() / 4, np.exp(log_p), each]


def focal(gamma, alpha, sign):
    def form(scores, labels):
        log_p = np.take_along_axis(log_softmax(scores), labels.astype(int).reshape(-1, 1), 1)
        return -((alpha + sign * np.exp(log_p)) ** gamma * log_p).sum() / len(scores)

    return form


def added(bias):
    def form(x, labels):
        y = x.copy()
        for n, label in enumerate(labels.astype(int).ravel()):
            y[n, label] += bias if x[n, label] > -bias else 0
        return y

    return form


def spherical(margin, softness):
    def form(x, labels, weights):
        y = x @ weights.T
        for n, label in enumerate(labels.astype(int).ravel()):
            length = np.linalg.norm(x[n])
            angle = math.acos(min(max(y[n, label] / length, -1), 1))
            step = min(int(angle * margin / math.pi), margin - 1)
            psi = (-1) ** step * math.cos(margin * angle) - 2 * step
            y[n, label] = (softness * y[n, label] + length * psi) / (1 + softness) if margin > 1 else y[n, label]
        return [y, np.array([softness])]

    return form


def unit(*shape):
    rows = RNG.normal(size=shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


FOUR = [distinct(3, 4), distinct(3, 4) + 0.03, RNG.uniform(0.5, 1, (3, 4)), RNG.uniform(0.5, 1, (3, 4))]
LABELS = np.array([2, 0, 1, 2])
CASES = {
    "SmoothL1Loss": (layer("SmoothL1Loss"), [(3, 4)] * 2, {"values": FOUR[:2], "expected": boxes(1)}),
    "SmoothL1Loss with weights": (
        layer("SmoothL1Loss", "smooth_l1_loss_param { sigma: 3 }"),
        [(3, 4)] * 4,
        {"values": FOUR, "expected": boxes(3)},
    ),
    "SmoothL1Loss over a number": (
        layer("SmoothL1Loss", "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 5 }"),
        [(3, 4)] * 2,
        {"values": FOUR[:2], "expected": boxes(1, divisor=5)},
    ),
    "SmoothL1Loss with one weight": (layer("SmoothL1Loss"), [(3, 4)] * 3, {"values": FOUR[:3], "expected": boxes(1)}),
    "SmoothL1LossOHEM": (
        layer("SmoothL1LossOHEM", "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 5 }"),
        [(3, 4, 1, 1)] * 2,
        {"values": FOUR[:2], "tops": 2, "expected": boxes(1, each=True, divisor=5), "smooth": False},
    ),
    "SoftmaxWithLossOHEM": (
        layer("SoftmaxWithLossOHEM"),
        [(4, 3), (4,)],
        {"values": [distinct(4, 3), LABELS], "tops": 3, "expected": hard, "smooth": False},
    ),
    **{
        f"FocalLoss {name}": (
            layer("FocalLoss", f"focal_loss_param {{ type: {name} gamma: 1.5 alpha: {alpha} }}"),
            [(4, 3), (4,)],
            {"values": [RNG.normal(size=(4, 3)), LABELS], "expected": focal(1.5, alpha, sign)},
        )
        for name, alpha, sign in (("ORIGIN", 1, -1), ("ONEADDP", 0.5, 1))
    },
    "LabelSpecificAdd": (
        layer("LabelSpecificAdd", "label_specific_add_param { bias: -0.2 }"),
        [(4, 3), (4,)],
        {"values": [distinct(4, 3), LABELS], "expected": added(-0.2)},
    ),
    "LabelSpecificAdd in TEST": (
        layer("LabelSpecificAdd", "label_specific_add_param { bias: 2 }"),
        [(4, 3), (4,)],
        {"values": [distinct(4, 3), LABELS], "expected": lambda x, labels: x, "train": False},
    ),
    **{
        f"MarginInnerProduct {name}": (
            layer("MarginInnerProduct",
                  f"margin_inner_product_param {{ num_output: 3 type: {name} base: 5 lambda_min: 2 }}"),
            [(4, 5), (4,)],
            {
                "values": [RNG.normal(size=(4, 5)), LABELS],
                "params": [unit(3, 5)],
                "tops": 2,
                "train": False,
                "expected": spherical(margin, 5),
            },
        )
        for margin, name in enumerate(("SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE"), start=1)
    },
    "SpatialDropout in TEST": (
        layer("SpatialDropout"),
        [(2, 3, 2, 2)],
        {"expected": lambda x: x, "train": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_type_keeps_what_every_type_promises_and_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


@pytest.mark.parametrize("name", ["SmoothL1LossOHEM", "SoftmaxWithLossOHEM"])
def test_the_loss_with_hard_examples_has_the_gradient_of_the_loss_without(name):
    plain = name.removesuffix("OHEM")
    values = [distinct(4, 3, 1, 1), LABELS.reshape(4, 1, 1, 1) if plain == "SoftmaxWithLoss" else distinct(4, 3, 1, 1)]
    found = []
    for type_, tops in ((plain, 1), (name, 1)):
        net = net_of(layer(type_), values, tops, force_backward=True)
        net.forward()
        net.backward()
        found.append((net.blobs["y"].data.copy(), net.blobs["x0"].diff.copy()))
    assert np.allclose(found[0][0], found[1][0])
    assert np.allclose(found[0][1], found[1][1], atol=1e-6)


def test_the_hardest_regions_of_each_image_are_kept():
    regions = np.zeros((5, 5))
    regions[:, 0] = [0, 1, 0, 1, 0]
    losses = np.reshape([3, 1, 2, 5, 4], (5, 1, 1, 1))
    labels, weights = np.arange(1, 6).reshape(5, 1), np.ones((5, 8))
    text = layer("BoxAnnotatorOHEM", "box_annotator_ohem_param { roi_per_img: 2 ignore_label: -1 }")
    found = net_of(text, [regions, losses, labels, weights], tops=2).forward()
    assert found["y"].ravel().tolist() == [1, 2, -1, 4, 5]
    assert found["y1"].mean(1).tolist() == [1, 1, 0, 1, 1]


def centre_net(loss_weight=1):
    x = distinct(4, 3)
    text = layer("CenterLoss", f"center_loss_param {{ num_output: 3 }} loss_weight: {loss_weight}")
    net = net_of(text, [x, LABELS], force_backward=True)
    net.params["layer"][0].data[...] = centres = distinct(3, 3)
    return net, x, centres


def test_centre_loss_is_half_the_mean_squared_distance_from_the_centres():
    net, x, centres = centre_net()
    away = x - centres[LABELS]
    assert np.allclose(net.forward()["y"], (away**2).sum() / 8, rtol=1e-5)
    net.backward()
    assert np.allclose(net.blobs["x0"].diff, away / 4, atol=1e-5)


@pytest.mark.parametrize("loss_weight", [1, 0.5])
def test_centres_have_a_gradient_that_no_loss_weight_scales(loss_weight):
    net, x, centres = centre_net(loss_weight)
    net.forward()
    net.backward()
    wanted = np.zeros((3, 3))
    for k in range(3):
        mine = x[k == LABELS]
        wanted[k] = len(mine) * (centres[k] - mine).sum(0) / (len(mine) + 1)
    assert np.allclose(net.params["layer"][0].diff, wanted, atol=1e-5)


def test_rows_have_length_one_after_a_pass_and_the_margin_grows_with_them():
    body = "num_output: 3 type: DOUBLE base: 8 gamma: 1 power: 1 lambda_min: 3"
    text = layer("MarginInnerProduct", f"margin_inner_product_param {{ {body} }}")
    net = net_of(text, [distinct(4, 5), LABELS], tops=2, phase=caffe.TRAIN)
    net.params["layer"][0].data[...] = distinct(3, 5)
    assert [float(net.forward()["y1"][0]) for _ in range(3)] == pytest.approx([4, 3, 3])
    assert np.allclose(np.linalg.norm(net.params["layer"][0].data, axis=1), 1, atol=1e-6)


def test_whole_channels_are_dropped_and_the_others_scaled():
    caffe.set_random_seed(3)
    x = distinct(20, 10, 2, 2)
    net = net_of(layer("SpatialDropout", "dropout_param { dropout_ratio: 0.25 }"), [x], phase=caffe.TRAIN)
    share = net.forward()["y"] / x
    kept = share[:, :, 0, 0]
    assert np.allclose(share, kept[:, :, None, None])
    assert np.allclose(kept[kept != 0], 4 / 3, rtol=1e-5)
    assert 0.15 < (kept == 0).mean() < 0.35


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        (layer("SmoothL1Loss"), [(2, 3), (2, 4)], "the same shape of all"),
        (layer("BoxAnnotatorOHEM"), [(1, 5), (1, 1), (1, 1), (1, 4)], "roi_per_img is required"),
        (layer("CenterLoss"), [(2, 3), (2,)], "expected the number of classes"),
        (layer("FocalLoss", "focal_loss_param { type: LINEAR }"), [(2, 3), (2,)], "type is LINEAR"),
        (layer("LabelSpecificAdd"), [(2, 3), (3,)], "a label for each item"),
        (layer("MarginInnerProduct"), [(2, 3), (2,)], "expected the number of classes"),
        (layer("SpatialDropout", "dropout_param { dropout_ratio: 1 }"), [(2, 3, 1, 1)], "less than 1"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_layer(text, shapes, words):
    with pytest.raises(CaffeError, match=words):
        check_layer(text, shapes, tops=2 if "BoxAnnot" in text or "Margin" in text else 1)
