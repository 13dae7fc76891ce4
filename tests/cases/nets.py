"""Whole nets: what Net does between the layers (sharing, in-place chains, losses, propagate_down, splits)."""

from tests.cases.case import input_layer, layer, net_case
from tests.cases.parts import (
    FLOAT_LABEL,
    FOUR,
    LABEL,
    LABELLED,
    MAP,
    X,
    fc,
    loss,
    net,
    relu,
)

SHARING = [
    net_case(
        "shared weights",
        net(
            X,
            fc("a", "x", "ya", more='param { name: "w" } param { name: "b" }'),
            fc("b", "ya", "yb", more='param { name: "w" } param { name: "b" }'),
        ),
    ),
    net_case(
        "shared weights, one of two",
        net(
            X,
            fc("a", "x", "ya", more='param { name: "w" }'),
            fc("b", "ya", "yb", more='param { name: "w" }'),
            fc("c", "yb", "yc", more='param { name: "w" }'),
        ),
    ),
    net_case(
        "shared weights, siamese",
        net(
            X,
            input_layer("y", (3, 4)),
            input_layer("sim", (3,)),
            fc("a", "x", "fa", 2, 'param { name: "w" } param { name: "b" }'),
            fc("b", "y", "fb", 2, 'param { name: "w" } param { name: "b" }'),
            layer("loss", "ContrastiveLoss", ["fa", "fb", "sim"], ["loss"]),
        ),
        kinds={"sim": "binary"},
        force_backward=False,
    ),
    net_case(
        "shared weights, permissive",
        net(
            X,
            input_layer("wide", (3, 2, 2)),
            fc("a", "x", "ya", more='param { name: "w" share_mode: PERMISSIVE }'),
            layer(
                "b",
                "Scale",
                ["ya"],
                ["yb"],
                'param { name: "w" share_mode: PERMISSIVE } scale_param { axis: 0 num_axes: 2 }',
            ),
        ),
        refused="",
    ),
    net_case(
        "shared weights, permissive shape",
        net(
            X,
            input_layer("image", (3, 1, 2, 2)),
            fc("a", "x", "ya", more='param { name: "w" share_mode: PERMISSIVE }'),
            layer(
                "b",
                "Convolution",
                ["image"],
                ["yb"],
                'param { name: "w" share_mode: PERMISSIVE } convolution_param { num_output: 4 kernel_size: 2 }',
            ),
        ),
    ),
    net_case(
        "shared weights, strict shape",
        net(
            X,
            input_layer("image", (3, 1, 2, 2)),
            fc("a", "x", "ya", more='param { name: "w" }'),
            layer(
                "b",
                "Convolution",
                ["image"],
                ["yb"],
                'param { name: "w" } convolution_param { num_output: 4 kernel_size: 2 }',
            ),
        ),
        refused="shape mismatch",
    ),
    net_case(
        "shared weights, permissive count",
        net(
            X,
            fc("a", "x", "ya", 5, 'param { name: "w" share_mode: PERMISSIVE }'),
            fc("b", "x", "yb", 3, 'param { name: "w" share_mode: PERMISSIVE }'),
        ),
        refused="count mismatch",
    ),
    net_case(
        "shared weights, lr_mult of the second",
        net(
            X,
            LABEL,
            fc("a", "x", "ya", more='param { name: "w" lr_mult: 2 }'),
            fc("b", "ya", "yb", more='param { name: "w" }'),
            loss("yb"),
        ),
        **LABELLED,
    ),
    net_case(
        "shared weights, other lr_mult",
        net(
            X,
            fc("a", "x", "ya", more='param { name: "w" lr_mult: 2 }'),
            fc("b", "ya", "yb", more='param { name: "w" lr_mult: 1 }'),
        ),
        refused="has mismatched lr_mult.",
    ),
    net_case(
        "shared weights, other decay_mult",
        net(
            X,
            fc("a", "x", "ya", more='param { name: "w" decay_mult: 2 }'),
            fc("b", "ya", "yb", more='param { name: "w" decay_mult: 1 }'),
        ),
        refused="has mismatched decay_mult.",
    ),
    net_case(
        "more params than blobs",
        net(X, fc("a", "x", "y", more="param { } param { } param { }")),
        refused="Too many params specified for layer a",
    ),
]

IN_PLACE = [
    net_case(
        "in place, chain",
        net(
            MAP,
            layer("conv", "Convolution", ["map"], ["y"], "convolution_param { num_output: 3 kernel_size: 3 }"),
            layer("n", "BatchNorm", ["y"], ["y"]),
            layer("s", "Scale", ["y"], ["y"], "scale_param { bias_term: true }"),
            relu("r", "y"),
            layer("d", "Dropout", ["y"], ["y"], "phase: TEST"),
        ),
    ),
    net_case("in place, on the input", net(X, relu("r", "x"), fc("a", "x", "y"))),
    net_case(
        "in place, then used twice",
        net(X, fc("a", "x", "y"), relu("r", "y"), fc("b", "y", "z"), layer("sum", "Eltwise", ["y", "z"], ["s"])),
    ),
    net_case(
        "in place, used before as well",
        net(X, fc("a", "x", "y"), fc("b", "y", "z"), relu("r", "y"), layer("sum", "Eltwise", ["y", "z"], ["s"])),
        refused="Top blob 'y' produced by multiple sources.",
    ),
    net_case(
        "in place, name of another blob",
        net(X, fc("a", "x", "y"), fc("b", "x", "y")),
        refused="Top blob 'y' produced by multiple sources.",
    ),
    net_case(
        "in place, second bottom",
        net(X, fc("a", "x", "y"), fc("b", "x", "z"), layer("sum", "Eltwise", ["y", "z"], ["z"])),
        refused="Top blob 'z' produced by multiple sources.",
    ),
    net_case(
        "in place, Dropout in TEST",
        net(X, fc("a", "x", "y"), layer("d", "Dropout", ["y"], ["y"]), fc("b", "y", "z")),
        phase="TEST",
    ),
]

LOSSES = [
    net_case("losses, one", net(X, LABEL, fc("a", "x", "y"), loss("y")), **LABELLED),
    net_case("losses, one, forced", net(X, LABEL, fc("a", "x", "y"), loss("y")), kinds=FOUR),
    net_case(
        "losses, two with weights",
        net(
            X,
            LABEL,
            FLOAT_LABEL,
            fc("a", "x", "y"),
            loss("y", more="loss_weight: 0.3"),
            layer("l2", "EuclideanLoss", ["y", "target"], ["l2"], "loss_weight: 2"),
        ),
        **LABELLED,
    ),
    net_case(
        "losses, one of weight 0",
        net(
            X,
            LABEL,
            fc("a", "x", "h"),
            fc("b", "h", "y"),
            fc("c", "h", "z"),
            loss("y"),
            loss("z", more="loss_weight: 0", name="loss0"),
        ),
        **LABELLED,
    ),
    net_case(
        "losses, any layer with a weight",
        net(X, fc("a", "x", "y"), layer("p", "Power", ["y"], ["p"], "power_param { power: 2 } loss_weight: 0.5")),
        force_backward=False,
    ),
    net_case(
        "losses, loss used further",
        net(X, LABEL, fc("a", "x", "y"), loss("y"), layer("p", "Power", ["loss"], ["p"], "power_param { scale: 2 }")),
        **LABELLED,
    ),
    net_case(
        "losses, loss used further as a loss",
        net(
            X,
            LABEL,
            fc("a", "x", "y"),
            loss("y"),
            layer("p", "Power", ["loss"], ["p"], "power_param { scale: 2 } loss_weight: 3"),
        ),
        **LABELLED,
    ),
    net_case(
        "losses, unnamed top",
        net(X, LABEL, fc("a", "x", "y"), layer("loss", "SoftmaxWithLoss", ["y", "label"], [])),
        **LABELLED,
    ),
    net_case(
        "losses, score used by loss and accuracy",
        net(X, LABEL, fc("a", "x", "y"), loss("y"), layer("acc", "Accuracy", ["y", "label"], ["acc"])),
        **LABELLED,
    ),
    net_case("losses, none", net(X, fc("a", "x", "y")), force_backward=False),
    net_case(
        "losses, a branch without one",
        net(
            X,
            LABEL,
            fc("a", "x", "h"),
            fc("b", "h", "y"),
            fc("c", "h", "unused"),
            layer("sig", "Sigmoid", ["unused"], ["end"]),
            loss("y"),
        ),
        **LABELLED,
    ),
    net_case(
        "losses, too many weights",
        net(X, LABEL, fc("a", "x", "y"), loss("y", more="loss_weight: 1 loss_weight: 2")),
        refused="loss_weight must be unspecified or specified once per top blob.",
    ),
    net_case(
        "losses, gradient wanted of the label",
        net(X, LABEL, fc("a", "x", "y"), loss("y", more="propagate_down: true propagate_down: true")),
        kinds=FOUR,
        force_backward=False,
        refused="cannot backpropagate to label inputs",
    ),
]

PROPAGATE = [
    net_case(
        "propagate_down, false cuts the branch",
        net(X, LABEL, fc("a", "x", "h"), fc("b", "h", "y", more="propagate_down: false"), loss("y")),
        **LABELLED,
    ),
    net_case(
        "propagate_down, false but forced",
        net(X, LABEL, fc("a", "x", "h"), fc("b", "h", "y", more="propagate_down: false"), loss("y")),
        kinds=FOUR,
    ),
    net_case(
        "propagate_down, true on the data",
        net(X, LABEL, fc("a", "x", "y", more="propagate_down: true"), loss("y")),
        **LABELLED,
    ),
    net_case(
        "propagate_down, one of two uses",
        net(
            X,
            LABEL,
            fc("a", "x", "h"),
            fc("b", "h", "y", more="propagate_down: false"),
            layer("sum", "Eltwise", ["h", "y"], ["z"]),
            loss("z"),
        ),
        **LABELLED,
    ),
    net_case(
        "propagate_down, wrong count",
        net(X, LABEL, fc("a", "x", "y", more="propagate_down: true propagate_down: true"), loss("y")),
        refused="propagate_down param must be specified either 0 or bottom_size times",
    ),
    net_case(
        "lr_mult 0, first layer",
        net(
            X, LABEL, fc("a", "x", "h", more="param { lr_mult: 0 } param { lr_mult: 0 }"), fc("b", "h", "y"), loss("y")
        ),
        **LABELLED,
    ),
    net_case(
        "lr_mult 0, middle layer",
        net(
            X,
            LABEL,
            fc("a", "x", "h"),
            fc("b", "h", "g", more="param { lr_mult: 0 } param { lr_mult: 0 }"),
            fc("c", "g", "y"),
            loss("y"),
        ),
        **LABELLED,
    ),
    net_case(
        "lr_mult 0, weights only",
        net(X, LABEL, fc("a", "x", "y", more="param { lr_mult: 0 } param { lr_mult: 1 }"), loss("y")),
        **LABELLED,
    ),
    net_case(
        "lr_mult 0, forced",
        net(X, LABEL, fc("a", "x", "h", more="param { lr_mult: 0 }"), fc("b", "h", "y"), loss("y")),
        kinds=FOUR,
    ),
    net_case(
        "Silence ends a branch",
        net(X, LABEL, fc("a", "x", "h"), fc("b", "h", "y"), layer("q", "Silence", ["h"], []), loss("y")),
        **LABELLED,
    ),
]

KEPT = [
    net_case(
        "random net 32: BatchNorm has parameters, so it gets a gradient though none of them learns",
        net(
            MAP,
            input_layer("target", (2, 2, 5, 4)),
            layer("bn", "BatchNorm", ["map"], ["y"]),
            layer("loss", "SigmoidCrossEntropyLoss", ["y", "target"], ["loss"]),
        ),
        kinds={"target": "uniform(0,1)"},
        force_backward=False,
        unlike=["diff/map"],
        reason="real Caffe's BatchNorm writes the diff of its bottom even if it is not asked to",
    ),
    net_case(
        "random net 2517: a gradient of the index is asked for, but no loss asks for any",
        net(
            X,
            input_layer("index", (2,)),
            fc("a", "x", "y"),
            layer("pick", "BatchReindex", ["y", "index"], ["z"], "propagate_down: false propagate_down: true"),
            layer("p", "Power", ["y"], ["p"], "loss_weight: 1"),
        ),
        kinds={"index": "labels(3)"},
        force_backward=False,
    ),
]

SPLITS = [
    net_case(
        "splits, of the input", net(X, fc("a", "x", "y"), fc("b", "x", "z"), layer("sum", "Eltwise", ["y", "z"], ["s"]))
    ),
    net_case(
        "splits, three uses",
        net(
            X, fc("a", "x", "h"), fc("b", "h", "y"), fc("c", "h", "z"), layer("sum", "Eltwise", ["h", "y", "z"], ["s"])
        ),
    ),
    net_case(
        "splits, both bottoms of one layer", net(X, fc("a", "x", "h"), layer("sum", "Eltwise", ["h", "h"], ["s"]))
    ),
    net_case(
        "splits, name with a slash",
        net(X, fc("in/a", "x", "in/h"), fc("b", "in/h", "y"), layer("c", "Concat", ["in/h", "y"], ["z"])),
    ),
    net_case(
        "splits, a label",
        net(X, LABEL, fc("a", "x", "y"), fc("b", "x", "z"), loss("y", name="one"), loss("z", name="two")),
        **LABELLED,
    ),
]

CASES = [*SHARING, *IN_PLACE, *LOSSES, *PROPAGATE, *SPLITS, *KEPT]
