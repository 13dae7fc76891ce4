"""Losses: of class labels, of targets, of pairs."""

from functools import partial

from tests.cases.case import Case, case, input_layer, layer, net_case
from tests.cases.parts import X, fc, net

MAP, MAP_LABELS = (2, 5, 4, 3), (2, 1, 4, 3)
IGNORED = ["normal", "values(0,255,3,1,255,4,2,255,255,0,1)"]
ALL_IGNORED = ["normal", "values(255)"]
LABELS_ONLY = "propagate_down: true propagate_down: true"


def softmax_loss(body: str = "", *shapes, kinds=("normal", "labels(5)"), **settings) -> Case:
    return case("SoftmaxWithLoss", body, *(shapes or (MAP, MAP_LABELS)), kinds=kinds, **settings)


SOFTMAX_WITH_LOSS = [
    softmax_loss("", (3, 5), (3,)),
    softmax_loss("", (3, 5), (3, 1, 1, 1)),
    softmax_loss(),
    softmax_loss("", MAP, (2, 4, 3)),
    softmax_loss("", MAP, (2, 12)),
    softmax_loss("", (2, 5, 3, 2, 2), (2, 3, 2, 2)),
    softmax_loss("", (2, 1, 4, 3), MAP_LABELS, kinds=["normal", "zeros"]),
    softmax_loss("", (1, 21, 9, 7), (1, 1, 9, 7), kinds=["normal", "labels(21)"]),
    softmax_loss("softmax_param { axis: 0 }", (5, 6), (5, 6), refused="Number of labels must match"),
    softmax_loss("softmax_param { axis: 0 }", (4, 8), (4, 2), kinds=["normal", "labels(4)"]),
    softmax_loss("softmax_param { axis: 2 }", (2, 3, 5), (2, 3)),
    softmax_loss("softmax_param { axis: -1 }", (2, 3, 5), (2, 3)),
    softmax_loss("softmax_param { axis: -3 }"),
    softmax_loss("softmax_param { engine: CAFFE }"),
    softmax_loss("loss_param { ignore_label: 255 }", kinds=IGNORED),
    softmax_loss("loss_param { ignore_label: 255 }"),
    softmax_loss("loss_param { ignore_label: 2 }"),
    softmax_loss("loss_param { ignore_label: -1 }", kinds=["normal", "values(-1,4,-1,0,2)"]),
    softmax_loss("loss_param { ignore_label: 255 }", kinds=ALL_IGNORED),
    softmax_loss("loss_param { ignore_label: 255 normalization: FULL }", kinds=ALL_IGNORED),
    softmax_loss("softmax_param { axis: 2 } loss_param { ignore_label: 1 }", (2, 3, 5), (2, 3)),
    *[
        softmax_loss(f"loss_param {{ ignore_label: 255 normalization: {mode} }}", kinds=IGNORED)
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")
    ],
    *[softmax_loss(f"loss_param {{ normalization: {mode} }}") for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")],
    softmax_loss("loss_param { normalize: true ignore_label: 255 }", kinds=IGNORED),
    softmax_loss("loss_param { normalize: false ignore_label: 255 }", kinds=IGNORED),
    softmax_loss("loss_param { normalize: false normalization: FULL ignore_label: 255 }", kinds=IGNORED),
    softmax_loss("loss_weight: 2.5"),
    softmax_loss("loss_weight: -0.5 loss_param { normalization: NONE }"),
    softmax_loss("loss_weight: 0"),
    softmax_loss("", phase="TEST"),
    softmax_loss("", tops=0),
    softmax_loss("", before=[(1, 5, 2, 7), (1, 1, 2, 7)]),
    softmax_loss("", before=[MAP, (2, 12)]),
    softmax_loss("loss_param { ignore_label: 255 }", kinds=["zeros", "values(0,255,3,1)"]),
    softmax_loss("", (6, 3), (6,), kinds=["values(0,-200,200)", "values(0,1,2,1,0,1)"], smooth=False),
    softmax_loss("", (2, 3), (2,), kinds=["values(0,87,0,90,0,0)", "values(0,1)"], smooth=False),
    softmax_loss("", (1, 3), (1,), kinds=["values(0,1e30,-1e30)", "zeros"], smooth=False),
    softmax_loss("", (2, 3), (2,), kinds=["values(0,1,-inf)", "zeros"], smooth=False),
    softmax_loss("", (2, 3), (2,), kinds=["values(0,1,inf,nan)", "zeros"], smooth=False),
    softmax_loss("", (3, 5), (2,), refused="The data and label should have the same first dimension."),
    softmax_loss("", (2, 5, 3), (2, 5), refused="Number of labels must match number of predictions"),
    softmax_loss("softmax_param { axis: 4 }", refused="axis 4 out of range for 4-D Blob"),
    softmax_loss(LABELS_ONLY, refused="SoftmaxWithLoss Layer cannot backpropagate to label inputs"),
    softmax_loss(
        "propagate_down: true", refused="propagate_down param must be specified either 0 or bottom_size times"
    ),
    softmax_loss("", (2, 5), kinds=["normal"], refused="SoftmaxWithLoss Layer takes 2 bottom blob(s) as input."),
    softmax_loss("", tops=3, refused="SoftmaxWithLoss Layer produces at most 2 top blob(s) as output."),
    softmax_loss(
        "loss_weight: 1 loss_weight: 1",
        refused="loss_weight must be unspecified or specified once per top blob.",
    ),
    net_case(
        "SoftmaxWithLoss, propagate_down: false",
        net(
            X,
            input_layer("label", (3,)),
            fc("a", "x", "a"),
            fc("b", "a", "b"),
            layer("cut", "SoftmaxWithLoss", ["a", "label"], ["cut"], "propagate_down: false propagate_down: false"),
            layer("loss", "SoftmaxWithLoss", ["b", "label"], ["loss"], "propagate_down: true propagate_down: false"),
        ),
        kinds={"label": "labels(4)"},
        force_backward=False,
    ),
]

REGRESSION = [
    case("EuclideanLoss", "", (3, 4), (3, 4)),
    case("EuclideanLoss", "", (2, 3, 4, 2), (2, 3, 4, 2)),
    case("EuclideanLoss", "", (2, 12), (2, 3, 4)),
    case("EuclideanLoss", "", (5,), (5,)),
    case("EuclideanLoss", "loss_weight: 0.25", (4, 2), (4, 2)),
    case("EuclideanLoss", "loss_weight: 0", (4, 2), (4, 2)),
    case("EuclideanLoss", "", (2, 3), (2, 3), tops=0),
    case("EuclideanLoss", "", (2, 3), (3, 3), refused="The data and label should have the same first dimension."),
    case("EuclideanLoss", "", (2, 3), (2, 4), refused="Inputs must have the same dimension."),
    case(
        "EuclideanLoss",
        "",
        (2, 1, 1, 1, 3),
        (2, 1, 1, 1, 3),
        refused="Cannot use legacy accessors on Blobs with > 4 axes.",
    ),
    case("EuclideanLoss", "", (2, 3), (2, 3), tops=2, refused="EuclideanLoss Layer produces 1 top blob(s) as output."),
]

HINGE = [
    case("HingeLoss", "", (4, 5), (4,), kinds=["normal", "labels(5)"]),
    case("HingeLoss", "hinge_loss_param { norm: L1 }", (3, 4, 2), (3, 1), kinds=["normal", "labels(8)"]),
    case("HingeLoss", "hinge_loss_param { norm: L2 }", (4, 5), (4,), kinds=["normal", "labels(5)"]),
    case(
        "HingeLoss",
        "hinge_loss_param { norm: L2 } loss_weight: 3",
        (2, 3, 2, 2),
        (2, 1, 1, 1),
        kinds=["normal", "labels(12)"],
    ),
    case("HingeLoss", "", (4, 5), (4, 2), kinds=["normal", "labels(5)"]),
    case("HingeLoss", "loss_weight: 0.1", (4, 5), (4,), kinds=["integers(1)", "labels(5)"], smooth=False),
    case("HingeLoss", "hinge_loss_param { norm: L2 }", (4, 5), (4,), kinds=["integers(1)", "labels(5)"], smooth=False),
    case("HingeLoss", "", (4, 5), (3,), kinds=["normal", "labels(5)"], refused="same first dimension."),
    case(
        "HingeLoss", LABELS_ONLY, (4, 5), (4,), kinds=["normal", "labels(5)"], refused="cannot backpropagate to label"
    ),
    case(
        "HingeLoss",
        "",
        (2, 1, 1, 1, 3),
        (2,),
        kinds=["normal", "labels(3)"],
        refused="Cannot use legacy accessors on Blobs with > 4 axes.",
    ),
]

MULTINOMIAL = [
    case("MultinomialLogisticLoss", "", (4, 5), (4,), kinds=["probabilities", "labels(5)"]),
    case("MultinomialLogisticLoss", "", (4, 5), (4, 1), kinds=["probabilities", "labels(5)"]),
    case("MultinomialLogisticLoss", "", (3, 2, 2, 2), (3, 1, 1, 1), kinds=["probabilities", "labels(8)"]),
    case("MultinomialLogisticLoss", "loss_weight: 2", (4, 5), (4,), kinds=["positive", "labels(5)"]),
    case(
        "MultinomialLogisticLoss",
        "",
        (4, 3),
        (4,),
        kinds=["values(0,1e-30,-1,1e-10,1,2)", "values(0,1,2,0)"],
        smooth=False,
    ),
    case("MultinomialLogisticLoss", "", (2, 3), (2, 2), kinds=["probabilities", "zeros"], refused="channels() == 1"),
    case("MultinomialLogisticLoss", "", (2, 3), (2, 1, 2), kinds=["probabilities", "zeros"], refused="height() == 1"),
    case("MultinomialLogisticLoss", "", (2, 3), (2, 1, 1, 2), kinds=["probabilities", "zeros"], refused="width() == 1"),
    case("MultinomialLogisticLoss", "", (2, 3), (3,), kinds=["probabilities", "zeros"], refused="same first dimension"),
    case(
        "MultinomialLogisticLoss",
        LABELS_ONLY,
        (4, 5),
        (4,),
        kinds=["probabilities", "labels(5)"],
        refused="cannot backpropagate to label inputs",
    ),
]

sigmoid_loss = partial(case, "SigmoidCrossEntropyLoss")
TARGETS = ["normal", "uniform(0,1)"]
SOME_TARGETS = ["normal", "values(0,1,-1,1,1,-1,0)"]

SIGMOID = [
    sigmoid_loss("", (4, 5), (4, 5), kinds=TARGETS),
    sigmoid_loss("", (2, 3, 2, 2), (2, 12), kinds=TARGETS),
    sigmoid_loss("", (2, 3, 2, 2, 2), (2, 3, 8), kinds=["normal", "binary"]),
    sigmoid_loss("", (6,), (6,), kinds=["normal", "binary"]),
    sigmoid_loss("", (3, 4), (3, 4), kinds=["normal", "normal"]),
    sigmoid_loss("", (3, 4), (3, 4), kinds=["values(-100,-20,0,20,100)", "binary"]),
    sigmoid_loss("loss_weight: 0.5", (4, 5), (4, 5), kinds=TARGETS),
    *[
        sigmoid_loss(f"loss_param {{ ignore_label: -1 normalization: {mode} }}", (4, 5), (4, 5), kinds=SOME_TARGETS)
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")
    ],
    sigmoid_loss("loss_param { normalization: VALID }", (4, 5), (4, 5), kinds=TARGETS),
    sigmoid_loss("loss_param { ignore_label: -1 }", (4, 5), (4, 5), kinds=SOME_TARGETS),
    sigmoid_loss("loss_param { ignore_label: -1 normalize: true }", (4, 5), (4, 5), kinds=SOME_TARGETS),
    sigmoid_loss("loss_param { ignore_label: -1 normalize: false }", (4, 5), (4, 5), kinds=SOME_TARGETS),
    sigmoid_loss("loss_param { ignore_label: 255 normalization: VALID }", (4, 5), (4, 5), kinds=ALL_IGNORED),
    sigmoid_loss(
        "loss_param { ignore_label: 0 normalization: VALID }", (4, 5), (4, 5), kinds=["normal", "values(0.5,1,-0.9,0)"]
    ),
    sigmoid_loss("", (4, 5), (4, 4), refused="SIGMOID_CROSS_ENTROPY_LOSS layer inputs must have the same count."),
    sigmoid_loss("", (4, 5), (5, 4), refused="The data and label should have the same first dimension."),
    sigmoid_loss(
        LABELS_ONLY, (4, 5), (4, 5), refused="SigmoidCrossEntropyLoss Layer cannot backpropagate to label inputs"
    ),
]

contrastive = partial(case, "ContrastiveLoss")
PAIRS = ["normal", "normal", "values(1,0,0,1,0)"]

CONTRASTIVE = [
    contrastive("", (5, 2), (5, 2), (5,), kinds=PAIRS, gradient_tolerance=1e-4, smooth=False),
    contrastive("", (5, 3, 1, 1), (5, 3), (5, 1), kinds=PAIRS, smooth=False),
    contrastive("contrastive_loss_param { margin: 3 }", (5, 2), (5, 2), (5,), kinds=PAIRS, smooth=False),
    contrastive(
        "contrastive_loss_param { margin: 0.2 } loss_weight: 4", (5, 2), (5, 2), (5,), kinds=PAIRS, smooth=False
    ),
    contrastive("contrastive_loss_param { legacy_version: true margin: 2 }", (5, 2), (5, 2), (5,), kinds=PAIRS),
    contrastive("contrastive_loss_param { legacy_version: true margin: -1 }", (5, 2), (5, 2), (5,), kinds=PAIRS),
    contrastive("", (5,), (5,), (5,), kinds=PAIRS, smooth=False),
    contrastive("", (4, 2), (4, 2), (4,), kinds=["zeros", "zeros", "binary"], smooth=False),
    contrastive(
        "contrastive_loss_param { legacy_version: true }",
        (4, 2),
        (4, 2),
        (4,),
        kinds=["ones", "zeros", "zeros"],
        smooth=False,
    ),
    contrastive("", (5, 2), (5, 2), (5,), kinds=["normal", "normal", "values(0.5,-0.5,2,-1,0)"], smooth=False),
    contrastive("", (5, 2), (5, 2), (6,), kinds=PAIRS, smooth=False),
    contrastive(
        "propagate_down: true propagate_down: true propagate_down: true",
        (5, 2),
        (5, 2),
        (5,),
        kinds=PAIRS,
        smooth=False,
    ),
    contrastive("", (5, 2), (5, 3), (5,), kinds=PAIRS, refused="bottom[0]->channels() == bottom[1]->channels()"),
    contrastive("", (5, 2, 2), (5, 2), (5,), kinds=PAIRS, refused="bottom[0]->height() == 1"),
    contrastive("", (5, 2, 1, 2), (5, 2), (5,), kinds=PAIRS, refused="bottom[0]->width() == 1"),
    contrastive("", (5, 2), (5, 2, 2), (5,), kinds=PAIRS, refused="bottom[1]->height() == 1"),
    contrastive("", (5, 2), (5, 2), (5, 2), kinds=PAIRS, refused="bottom[2]->channels() == 1"),
    contrastive(
        "", (5, 2), (4, 2), (5,), kinds=PAIRS, refused="The data and label should have the same first dimension."
    ),
    contrastive("", (5, 2), (5, 2), refused="ContrastiveLoss Layer takes 3 bottom blob(s) as input."),
]

CASES = [*SOFTMAX_WITH_LOSS, *REGRESSION, *HINGE, *MULTINOMIAL, *SIGMOID, *CONTRASTIVE]
