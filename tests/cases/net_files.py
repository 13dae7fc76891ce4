"""What a prototxt may say of phases, levels and stages; old files; files that are refused."""

from tests.cases.case import input_layer, layer, net_case
from tests.cases.parts import X, fc, net

INCLUDE_TRAIN = "include { phase: TRAIN }"
LEVELS = net(
    X,
    fc("a", "x", "a", more="include { min_level: 1 }"),
    fc("b", "x", "b", more="include { max_level: 1 }"),
    fc("c", "x", "c", more="exclude { min_level: 2 }"),
    fc("d", "x", "d", more="include { min_level: 1 max_level: 3 }"),
)
STAGES = net(
    X,
    fc("a", "x", "a", more='include { stage: "one" }'),
    fc("b", "x", "b", more='include { stage: "one" stage: "two" }'),
    fc("c", "x", "c", more='include { not_stage: "two" }'),
    fc("d", "x", "d", more='exclude { stage: "two" }'),
    fc("e", "x", "e", more='include { stage: "two" } include { phase: TEST stage: "one" }'),
)

FILTERS = [
    net_case(
        "phase, include TRAIN",
        net(X, fc("a", "x", "y", more=INCLUDE_TRAIN), fc("b", "x", "z", more="include { phase: TEST }")),
    ),
    net_case(
        "phase, include TEST",
        net(X, fc("a", "x", "y", more=INCLUDE_TRAIN), fc("b", "x", "z", more="include { phase: TEST }")),
        phase="TEST",
    ),
    net_case("phase, exclude", net(X, fc("a", "x", "y", more="exclude { phase: TRAIN }"), fc("b", "x", "z"))),
    net_case(
        "phase, of the layer itself", net(X, fc("a", "x", "y"), layer("d", "Dropout", ["y"], ["z"], "phase: TEST"))
    ),
    net_case(
        "phase, layer removed that is needed",
        net(X, fc("a", "x", "y", more=INCLUDE_TRAIN), fc("b", "y", "z")),
        phase="TEST",
        refused="Unknown bottom blob 'y' (layer 'b', bottom index 0)",
    ),
    *[net_case(f"level {level}", LEVELS, level=level) for level in (0, 1, 2, 4)],
    *[
        net_case(f"stages {' '.join(stages) or 'none'}", STAGES, stages=stages)
        for stages in ((), ("one",), ("two",), ("one", "two"))
    ],
    net_case("stages one, TEST", STAGES, stages=("one",), phase="TEST"),
    net_case("state in the file, stage", 'state { stage: "two" }\n' + STAGES),
    net_case("state in the file, stage and another", 'state { stage: "two" }\n' + STAGES, stages=("one",)),
    net_case("state in the file, level and phase", "state { level: 2 phase: TEST }\n" + LEVELS),
    net_case("name and debug_info", 'name: "net" debug_info: true\n' + STAGES),
    net_case(
        "include and exclude",
        net(X, fc("a", "x", "y", more=INCLUDE_TRAIN + " exclude { phase: TEST }")),
        refused="Specify either include rules or exclude rules; not both.",
    ),
]

OLD = [
    net_case("old, input_dim", 'input: "x" input_dim: 3 input_dim: 4 input_dim: 1 input_dim: 1\n' + fc("a", "x", "y")),
    net_case(
        "old, input_shape",
        'input: "x" input_shape { dim: 3 dim: 4 }\ninput: "z" input_shape { dim: 3 dim: 4 }\n'
        + layer("sum", "Eltwise", ["x", "z"], ["s"]),
    ),
    net_case(
        "old, V1 layers",
        'input: "x" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 4\n'
        'layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" blobs_lr: 1 blobs_lr: 2 '
        "weight_decay: 1 weight_decay: 0 convolution_param { num_output: 2 kernel_size: 3 } }\n"
        'layers { name: "r" type: RELU bottom: "c" top: "c" }\n'
        'layers { name: "p" type: POOLING bottom: "c" top: "p" pooling_param { pool: AVE kernel_size: 2 } }\n'
        'layers { name: "l" type: EUCLIDEAN_LOSS bottom: "p" bottom: "p" top: "l" loss_weight: 2 }\n',
    ),
    net_case(
        "old, V0 layers",
        'input: "x" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 4\n'
        'layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "x" top: "pad" }\n'
        'layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 3 stride: 2 } bottom: "pad" top: "c" }\n'
        'layers { layer { name: "r" type: "relu" } bottom: "c" top: "c" }\n'
        'layers { layer { name: "n" type: "lrn" local_size: 3 alpha: 0.5 } bottom: "c" top: "n" }\n'
        'layers { layer { name: "f" type: "innerproduct" num_output: 3 } bottom: "n" top: "f" }\n'
        'layers { layer { name: "s" type: "softmax" } bottom: "f" top: "s" }\n',
    ),
]

REFUSED = [
    net_case(
        "unknown layer type", net(X, layer("a", "Convolutoin", ["x"], ["y"])), refused="Unknown layer type: Convolutoin"
    ),
    net_case(
        "unknown bottom", net(X, fc("a", "y", "z")), refused="Unknown bottom blob 'y' (layer 'a', bottom index 0)"
    ),
    net_case(
        "unknown second bottom",
        net(X, layer("a", "Eltwise", ["x", "y"], ["z"])),
        refused="Unknown bottom blob 'y' (layer 'a', bottom index 1)",
    ),
    net_case("unknown field", net(X, layer("a", "ReLU", ["x"], ["y"], "relu_param { slope: 1 }")), refused=""),
    net_case("not a prototxt", "layer { name: ", refused=""),
    net_case(
        "a layer of another's parameters",
        net(X, layer("a", "ReLU", ["x"], ["y"], "convolution_param { num_output: 1 }")),
    ),
    net_case("two layers of one name", net(X, layer("a", "ReLU", ["x"], ["y"]), layer("a", "TanH", ["y"], ["z"]))),
    net_case(
        "top given twice",
        net(X, layer("a", "Slice", ["x"], ["y", "y"])),
        refused="Top blob 'y' produced by multiple sources.",
    ),
    net_case(
        "an input produced again",
        net(X, input_layer("z", (1,)), fc("a", "z", "x")),
        refused="Top blob 'x' produced by multiple sources.",
    ),
    net_case("inputs without shapes", 'input: "x"\n' + fc("a", "x", "y"), refused=""),
    net_case(
        "backward of a layer that has none", net(X, fc("a", "x", "y"), layer("m", "ArgMax", ["y"], ["z"])), refused=""
    ),
    net_case("negative dimension", net(input_layer("x", (2, -3))), refused=""),
    net_case("33 axes", net(input_layer("x", (1,) * 33)), refused=""),
]

CASES = [*FILTERS, *OLD, *REFUSED]
