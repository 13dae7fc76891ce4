"""Tags in place of masks, and the losses that learn from them, against forms written element by element."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize

from fcn_caffe.data_layers import tag_layers
from fcn_caffe.data_layers.segdata import tags
from fcn_caffe.data_layers.segdata.constraints import Constraints, ConstraintSettings
from fcn_caffe.data_layers.voc_layers import VOCSegDataLayer
from tests.data_layers.driver import MEAN, Driver, loss_and_gradient

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("label", "present", "sizes"),
    [
        ([[0, 0], [2, 255]], [1, 0, 1], [2 / 3, 0, 1 / 3]),
        ([[1, 1], [1, 1]], [0, 1, 0], [0, 1, 0]),
        ([[255, 255]], [0, 0, 0], [0, 0, 0]),
        ([[2, 0, 1, 1, 1]], [1, 1, 1], [0.2, 0.6, 0.2]),
    ],
)
def test_tags_of_a_label(label, present, sizes):
    label = np.array(label, np.uint8)[np.newaxis]
    np.testing.assert_allclose(tags.of(label, 3, tags.PRESENT).reshape(-1), present)
    np.testing.assert_allclose(tags.of(label, 3, tags.SIZES).reshape(-1), sizes, rtol=1e-6)


@pytest.mark.parametrize(("kind", "classes"), [("present", None), ("sizes", None), ("present", [0, 20])])
def test_no_mask_leaves_a_layer_with_tags(voc, kind, classes):
    more = {"classes": classes} if classes else {}
    masks, tagged = (
        Driver(VOCSegDataLayer, voc_dir=str(voc), split="train", mean=MEAN, seed=7, mirror=True, **more, **extra)
        for extra in ({}, {"tags": kind})
    )
    count = len(classes or range(21))
    for _ in range(6):
        (image, label), (same, found) = masks.forward(), tagged.forward()
        assert (image == same).all()
        assert found.shape == (1, count, 1, 1)
        shares = np.array([(label == cls).sum() for cls in range(count)]) / (label != 255).sum()
        np.testing.assert_allclose(found.reshape(-1), shares > 0 if kind == "present" else shares, rtol=1e-6)


@pytest.mark.parametrize(("extra", "words"), [({"crop": 4}, "there is a crop"), ({"tags": "maybe"}, "expected one of")])
def test_what_tags_cannot_be_of_is_told(voc, extra, words):
    with pytest.raises(ValueError, match=words):
        Driver(VOCSegDataLayer, voc_dir=str(voc), split="train", mean=MEAN, **{"tags": "present", **extra})


CASES = [
    ((1, 4, 3, 5), [1, 0, 1, 1]),
    ((1, 3, 1, 7), [0, 1, 0]),
    ((1, 5, 4, 4), [1, 0, 0, 0, 0]),
    ((1, 2, 2, 2), [1, 1]),
]


@pytest.mark.parametrize(("shape", "given"), CASES)
def test_mil_is_the_mean_log_of_each_tags_likeliest_pixel(shape, given):
    scores = 2 * RNG.normal(size=shape)
    wanted = sorted({0, *(cls for cls, there in enumerate(given) if there)})

    def loss(values):
        total = 0.0
        for cls in wanted:
            best = 0.0
            for row, column in itertools.product(range(shape[2]), range(shape[3])):
                all_scores = values[0, :, row, column]
                best = max(best, math.exp(all_scores[cls]) / sum(math.exp(each) for each in all_scores))
            total -= math.log(best) / len(wanted)
        return total

    found, gradient = loss_and_gradient(tag_layers.MILLossLayer, scores, np.array(given, float).reshape(1, -1, 1, 1))
    assert found == pytest.approx(loss(scores), rel=1e-6)
    np.testing.assert_allclose(gradient, numeric(loss, scores), atol=1e-7)


def numeric(loss, scores, step=1e-6):
    found = np.zeros_like(scores)
    for index in np.ndindex(scores.shape):
        ends = []
        for sign in (1, -1):
            moved = scores.copy()
            moved[index] += sign * step
            ends.append(loss(moved))
        found[index] = (ends[0] - ends[1]) / (2 * step)
    return found


HARD = {"slack": 1000.0}


@pytest.mark.parametrize(
    ("classes", "pixels", "given", "settings"),
    [
        (3, 5, [1, 1, 0], {"least": 0.2, "background": (0.3, 0.5)}),
        (4, 4, [1, 0, 1, 1], {"least": 0.25, "background": (0.1, 0.2)}),
        (3, 6, [0.5, 0.3, 0.2], {"least": 0.05, "background": (0.2, 0.7), "sizes": True}),
    ],
)
def test_ccnn_is_the_nearest_distribution_that_fulfils_the_constraints(classes, pixels, given, settings):
    """Against a general solver of the same problem over all probabilities."""
    given, settings = np.array(given, float), ConstraintSettings(**settings, **HARD)
    scores = 2 * RNG.normal(size=(classes, pixels))
    logs = tag_layers.log_softmax(scores)
    found = Constraints.of(given, settings).nearest(logs)
    kept = [cls for cls in range(classes) if cls == 0 or given[cls] > 0]
    least = {cls: 0.1 if settings.sizes and given[cls] > 0.1 else settings.least for cls in kept[1:]}
    low, high = settings.background

    def p_of(flat):
        return flat.reshape(len(kept), pixels)

    def kl(flat):
        p = np.maximum(p_of(flat), 1e-12)
        return float((p * (np.log(p) - logs[kept])).sum())

    demands = [
        {"type": "eq", "fun": lambda flat: p_of(flat).sum(0) - 1},
        {"type": "ineq", "fun": lambda flat: p_of(flat)[0].mean() - low},
        {"type": "ineq", "fun": lambda flat: high - p_of(flat)[0].mean()},
        *(
            {"type": "ineq", "fun": lambda flat, i=i, cls=cls: p_of(flat)[i].mean() - least[cls]}
            for i, cls in enumerate(kept[1:], 1)
        ),
    ]
    start = np.full(len(kept) * pixels, 1 / len(kept))
    options = {"maxiter": 2000, "ftol": 1e-14}
    best = minimize(kl, start, bounds=[(1e-9, 1)] * len(start), constraints=demands, method="SLSQP", options=options)
    assert best.success
    np.testing.assert_allclose(found[kept], p_of(best.x), atol=2e-4)
    assert not found[[cls for cls in range(classes) if cls not in kept]].any()


@pytest.mark.parametrize(("shape", "given"), CASES)
def test_the_gradient_of_ccnn_is_what_is_left_between_the_distributions(shape, given):
    scores, given = RNG.normal(size=shape), np.array(given, float)
    settings = ConstraintSettings(slack=1000.0)

    def loss(values):
        flat = values.reshape(shape[1], -1)
        logs = tag_layers.log_softmax(flat)
        p = Constraints.of(given, settings).nearest(logs)
        return float(np.where(p > 0, p * (np.log(np.maximum(p, 1e-300)) - logs), 0).sum()) / flat.shape[1]

    found, gradient = loss_and_gradient(tag_layers.CCNNLossLayer, scores, given.reshape(1, -1, 1, 1), repr(HARD))
    assert found == pytest.approx(loss(scores), rel=1e-5, abs=1e-9)
    np.testing.assert_allclose(gradient, numeric(loss, scores, 1e-4), atol=1e-4)


def test_a_constraint_with_slack_is_given_up_at_its_price():
    logs = tag_layers.log_softmax(np.array([[9.0, 9, 9], [0, 0, 0]]))
    hard, soft = (
        Constraints.of(np.array([1.0, 1]), ConstraintSettings(least=0.4, slack=slack, background=(0, 1))).nearest(logs)
        for slack in (1000.0, 2.0)
    )
    assert hard[1].mean() == pytest.approx(0.4, abs=1e-4)
    np.testing.assert_allclose(soft[1], 1 / (1 + np.exp(9 - 2)), rtol=1e-3)


@pytest.mark.parametrize(
    ("given", "within"), [([0.5, 0.3, 0.2], 0.1), ([0, 0.4, 0.6], 0.2), ([1, 0, 0], 0.1), ([0.9, 0.1, 0], 0.0)]
)
def test_within_keeps_every_share_near_its_own(given, within):
    given = np.array(given, float)
    logs = tag_layers.log_softmax(2 * RNG.normal(size=(3, 40)))
    shares = Constraints.of(given, ConstraintSettings(within=within)).nearest(logs).mean(1)
    assert not shares[given == 0].any()
    assert (np.abs(shares - given) <= within * given + 1e-3).all()


LOSSES = pytest.mark.parametrize(
    ("layer", "param_str"),
    [
        (tag_layers.MILLossLayer, "{}"),
        (tag_layers.CCNNLossLayer, "{}"),
        (tag_layers.CCNNLossLayer, "{'sizes': True}"),
        (tag_layers.CCNNLossLayer, "{'within': .1}"),
    ],
)


@LOSSES
def test_an_image_of_void_alone_teaches_nothing(layer, param_str):
    scores = RNG.normal(size=(1, 3, 2, 4))
    loss, gradient = loss_and_gradient(layer, scores, np.zeros((1, 3, 1, 1)), param_str)
    assert loss == 0
    assert not gradient.any()


@LOSSES
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_not_hidden_by_the_loss(layer, param_str, wrong):
    scores = RNG.normal(size=(1, 3, 2, 4))
    scores[0, 1, 1, 2] = wrong
    tags = np.array([0.5, 0.5, 0]).reshape(1, 3, 1, 1)
    assert np.isnan(loss_and_gradient(layer, scores, tags, param_str)[0])


@pytest.mark.parametrize("param_str", ["{'sizes': True}", "{'within': .1}"])
def test_tags_in_place_of_shares_are_refused(param_str):
    with pytest.raises(ValueError, match="are no shares of an image, which sizes and within need"):
        loss_and_gradient(tag_layers.CCNNLossLayer, np.zeros((1, 3, 2, 2)), np.ones((1, 3, 1, 1)), param_str)


def test_a_label_with_as_many_pixels_as_there_are_classes_is_no_tag():
    with pytest.raises(ValueError, match="as many tags as classes"):
        loss_and_gradient(tag_layers.MILLossLayer, np.zeros((1, 4, 2, 2)), np.zeros((1, 1, 2, 2)))


def test_what_is_fulfilled_already_is_left_alone():
    logs = tag_layers.log_softmax(np.log(np.array([[0.5, 0.6], [0.5, 0.4]])))
    found = Constraints.of(np.array([1.0, 1]), ConstraintSettings()).nearest(logs)
    np.testing.assert_allclose(found, np.exp(logs))


@pytest.mark.parametrize(
    ("param_str", "words"),
    [
        ("{'least': 2}", "expected shares"),
        ("{'background': (.7, .3)}", "expected shares"),
        ("{'within': 1}", "within 1"),
        ("{'lest': 1}", "least"),
        ("{'least': 'a'}", "least is 'a', expected a number"),
        ("{'slack': 1e400}", "slack is inf, expected a number"),
        ("{'within': (1, 2)}", "within is .*, expected a number"),
        ("{'background': .5}", "background is 0.5, expected two numbers"),
        ("{'background': (.3, .5, .7)}", "expected two numbers"),
        ("{'sizes': 'no'}", "sizes is 'no', expected one of False, True"),
        ("{'sizes': True, 'within': .1}", "not both within and sizes"),
    ],
)
def test_wrong_settings_are_told(param_str, words):
    with pytest.raises(ValueError, match=words):
        loss_and_gradient(tag_layers.CCNNLossLayer, np.zeros((1, 2, 2, 2)), np.ones((1, 2, 1, 1)), param_str)


def test_masks_in_place_of_tags_are_refused():
    with pytest.raises(ValueError, match="as many tags as classes: give the data layer the setting tags"):
        loss_and_gradient(tag_layers.MILLossLayer, np.zeros((1, 3, 4, 4)), np.zeros((1, 1, 4, 4)))
