"""Class labels that a layer must refuse (real Caffe reads memory beyond the scores), and what it says of them."""

import numpy as np
import pytest

from caffe.errors import DataError
from tests.cases import run
from tests.cases.case import case
from tests.cases.infogain import IDENTITY, SOURCE

SHAPES = {
    "SoftmaxWithLoss": ((2, 3, 2, 2), (2, 1, 2, 2)),
    "InfogainLoss": ((2, 3, 2, 2), (2, 1, 2, 2)),
    "MultinomialLogisticLoss": ((8, 3), (8,)),
    "HingeLoss": ((8, 3), (8,)),
    "Accuracy": ((2, 3, 2, 2), (2, 1, 2, 2)),
}
IGNORE = {
    "SoftmaxWithLoss": "loss_param { ignore_label: 255 }",
    "InfogainLoss": SOURCE + " loss_param { ignore_label: 255 }",
    "Accuracy": "accuracy_param { ignore_label: 255 }",
}
GOOD = [0, 1, 2, 0, 1, 2, 0]


def forward(layer_type: str, last_label: float, body: str = "", phase: str = "TRAIN") -> None:
    body = body or (SOURCE if layer_type == "InfogainLoss" else "")
    scores, labels = SHAPES[layer_type]
    one = case(layer_type, body, scores, labels, kinds=["positive", "zeros"], files=IDENTITY, phase=phase)
    with run.folder_of(one):
        net = run.build(one)
    net.blobs["bottom1"].data.flat[:] = [*GOOD, last_label]
    net.forward()


@pytest.mark.parametrize("layer_type", SHAPES)
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("label", [3, -1, 255, 1.5, np.nan, np.inf])
def test_wrong_labels_are_refused(layer_type, phase, label):
    with pytest.raises(DataError) as error:
        forward(layer_type, label, phase=phase)
    words = str(error.value)
    assert f"layer 'layer' ({layer_type}): 1 of 8 labels in 'bottom1' have the values {label:g}," in words
    assert "expected whole numbers 0 … 2. " in words
    assert "set ignore_label" in words


@pytest.mark.parametrize("layer_type", IGNORE)
def test_the_ignore_label_is_no_wrong_label(layer_type):
    forward(layer_type, 255, IGNORE[layer_type])
    with pytest.raises(DataError, match=r"values 254, expected whole numbers 0 … 2 or 255 \(the ignore_label\)"):
        forward(layer_type, 254, IGNORE[layer_type])
    with pytest.raises(DataError, match=r"255\.5"):
        forward(layer_type, 255.5, IGNORE[layer_type])


def test_many_wrong_labels_are_counted_and_some_are_shown():
    one = case("SoftmaxWithLoss", "", (1, 3, 5, 5), (1, 1, 5, 5), kinds=["normal", "zeros"])
    net = run.build(one)
    net.blobs["bottom1"].data.flat[:] = np.arange(25)
    with pytest.raises(
        DataError, match="22 of 25 labels in 'bottom1' have the values 3, 4, 5, 6, 7, 8, 9, 10, …, expected"
    ):
        net.forward()


def test_what_no_label_counts_for_has_no_gradient_even_if_it_is_nan():
    one = case(
        "SoftmaxWithLoss", "loss_param { ignore_label: 255 }", (1, 3, 2), (1, 2), kinds=["normal", "values(255,0)"]
    )
    net = run.build(one)
    net.blobs["bottom0"].data[0, :, 0] = np.nan
    net.forward()
    net.backward()
    assert np.isfinite(net.blobs["top0"].data)
    assert not net.blobs["bottom0"].diff[0, :, 0].any()
    assert net.blobs["bottom0"].diff[0, :, 1].any()


@pytest.mark.parametrize("axis", [1, 2])
def test_the_second_top_of_softmax_with_loss_is_softmax(axis):
    """Real Caffe hands both loss weights to its inner Softmax, which refuses them: so there is no recording."""
    shapes = (2, 3, 4), (2, 4) if axis == 1 else (2, 3)
    body = f"softmax_param {{ axis: {axis} }} loss_weight: 1 loss_weight: 0"
    one = case("SoftmaxWithLoss", body, *shapes, kinds=["normal", "labels(3)"], tops=2)
    net = run.build(one)
    net.forward()
    exp = np.exp(net.blobs["bottom0"].data)
    np.testing.assert_allclose(net.blobs["top1"].data, exp / exp.sum(axis, keepdims=True), rtol=1e-5)
