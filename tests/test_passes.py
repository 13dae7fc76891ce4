"""Net messages rewritten: text in, text out, and twice is once. tests/parity/test_formats.py asks Caffe the same."""

import pytest

from caffe.errors import NetError
from caffe.formats.prototxt import parse
from caffe.net.passes import filter_net, insert_splits
from caffe.proto import caffe_pb2

RULES = {
    "always": "",
    "train": "include { phase: TRAIN }",
    "test": "include { phase: TEST }",
    "not_train": "exclude { phase: TRAIN }",
    "neither": "exclude { phase: TRAIN } exclude { phase: TEST }",
    "either": "include { phase: TRAIN } include { phase: TEST }",
    "level_1_up": "include { min_level: 1 }",
    "level_1_down": "include { max_level: 1 }",
    "level_1_to_2": "include { min_level: 1 max_level: 2 }",
    "stage_a": 'include { stage: "a" }',
    "stage_a_and_b": 'include { stage: "a" stage: "b" }',
    "stage_a_or_b": 'include { stage: "a" } include { stage: "b" }',
    "not_a": 'include { not_stage: "a" }',
    "not_a_nor_b": 'include { not_stage: "a" not_stage: "b" }',
    "a_but_not_b": 'include { stage: "a" not_stage: "b" }',
    "unless_a": 'exclude { stage: "a" }',
    "train_at_a": 'include { phase: TRAIN stage: "a" }',
    "train_or_a": 'include { phase: TRAIN } include { stage: "a" }',
}
STATES = {
    "phase: TRAIN": "always train either level_1_down not_a not_a_nor_b unless_a train_or_a",
    "phase: TEST": "always test not_train either level_1_down not_a not_a_nor_b unless_a",
    "": "always test not_train either level_1_down not_a not_a_nor_b unless_a",
    'phase: TRAIN level: 1 stage: "a"': "always train either level_1_up level_1_down level_1_to_2 stage_a stage_a_or_b "
    "a_but_not_b train_at_a train_or_a",
    'phase: TEST level: 3 stage: "b" stage: "a"': "always test not_train either level_1_up stage_a stage_a_and_b "
    "stage_a_or_b train_or_a",
    'level: -1 stage: "b"': "always test not_train either level_1_down stage_a_or_b not_a unless_a",
}


def net(text: str) -> caffe_pb2.NetParameter:
    return parse(text, caffe_pb2.NetParameter())


@pytest.mark.parametrize("state", STATES)
def test_filter(state: str) -> None:
    whole = net("debug_info: true " + "".join(f'layer {{ name: "{name}" {rule} }}' for name, rule in RULES.items()))
    message = parse(state, caffe_pb2.NetState())
    filtered = filter_net(whole, message)
    assert [layer.name for layer in filtered.layer] == STATES[state].split()
    assert filtered.debug_info
    assert filter_net(filtered, message) == filtered
    assert len(whole.layer) == len(RULES)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("phase: TEST", "The NetState phase (0) differed from the phase (1) specified by a rule in layer x"),
        ("min_level: 2", "The NetState level (1) is below the min_level (2) specified by a rule in layer x"),
        ("max_level: 0", "The NetState level (1) is above the max_level (0) specified by a rule in layer x"),
        ('stage: "b"', "The NetState did not contain stage 'b' specified by a rule in layer x"),
        ('not_stage: "a"', "The NetState contained a not_stage 'a' specified by a rule in layer x"),
    ],
)
def test_filter_log(rule: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    state = parse('phase: TRAIN level: 1 stage: "a"', caffe_pb2.NetState())
    filter_net(net(f'layer {{ name: "x" include {{ {rule} }} }}'), state)
    assert words in capsys.readouterr().err


def test_filter_refuses_both_kinds_of_rules() -> None:
    with pytest.raises(NetError, match="layer 'x': Specify either include rules or exclude rules; not both"):
        filter_net(net("layer { name: 'x' include { } exclude { } }"), caffe_pb2.NetState())


# Layers of the nets below are one line each: `name: bottoms -> tops`, and loss weights behind a `*`.
SPLITS = {
    "nothing is shared": (
        "data: -> data label\nconv: data -> conv\nloss: conv label -> loss",
        "data: -> data label\nconv: data -> conv\nloss: conv label -> loss",
    ),
    "two readers": (
        "data: -> data label\na: data -> a\nb: data -> b\nloss: a label ->\nloss2: b label ->",
        "data: -> data label\n"
        "data_data_0_split: data -> data_data_0_split_0 data_data_0_split_1\n"
        "label_data_1_split: label -> label_data_1_split_0 label_data_1_split_1\n"
        "a: data_data_0_split_0 -> a\nb: data_data_0_split_1 -> b\n"
        "loss: a label_data_1_split_0 ->\nloss2: b label_data_1_split_1 ->",
    ),
    "one layer reads twice": (
        "data: -> x\nsum: x x -> y",
        "data: -> x\nx_data_0_split: x -> x_data_0_split_0 x_data_0_split_1\n"
        "sum: x_data_0_split_0 x_data_0_split_1 -> y",
    ),
    "in place": (
        "data: -> x\nconv: x -> y\nrelu: y -> y\na: y -> a\nb: y -> b",
        "data: -> x\nconv: x -> y\nrelu: y -> y\ny_relu_0_split: y -> y_relu_0_split_0 y_relu_0_split_1\n"
        "a: y_relu_0_split_0 -> a\nb: y_relu_0_split_1 -> b",
    ),
    "read before and after a layer in place": (
        "data: -> x\na: x -> a\nrelu: x -> x\nb: x -> b",
        "data: -> x\nx_data_0_split: x -> x_data_0_split_0 x_data_0_split_1\na: x_data_0_split_0 -> a\n"
        "relu: x_data_0_split_1 -> x\nb: x -> b",
    ),
    "a loss that is read": (
        "data: -> x\nloss: x -> l m * 0.5 2\nsilence: l ->",
        "data: -> x\nloss: x -> l m\nl_loss_0_split: l -> l_loss_0_split_0 l_loss_0_split_1 * 0.5 0\n"
        "silence: l_loss_0_split_1 ->",
    ),
    "a loss that is not read": ("data: -> x\nloss: x -> l m * 0.5 2", "data: -> x\nloss: x -> l m * 0.5 2"),
    "a loss weight of zero counts for nothing": (
        "data: -> x\nloss: x -> l m * 0 2\nsilence: l ->",
        "data: -> x\nloss: x -> l m * 0 2\nsilence: l ->",
    ),
    "a loss read by two": (
        "data: -> x\nloss: x -> l * 3\na: l ->\nb: l ->",
        "data: -> x\nloss: x -> l\n"
        "l_loss_0_split: l -> l_loss_0_split_0 l_loss_0_split_1 l_loss_0_split_2 * 3 0 0\n"
        "a: l_loss_0_split_1 ->\nb: l_loss_0_split_2 ->",
    ),
    "more loss weights than tops": ("data: -> x\nloss: x -> l * 1 1", "data: -> x\nloss: x -> l * 1 1"),
}


def graph(lines: str) -> caffe_pb2.NetParameter:
    message = caffe_pb2.NetParameter(name="n")
    for line in lines.split("\n"):
        name, _, rest = line.partition(": ")
        blobs, _, weights = rest.partition(" * ")
        bottoms, _, tops = blobs.partition("->")
        layer = message.layer.add(name=name, bottom=bottoms.split(), top=tops.split())
        layer.loss_weight.extend(map(float, weights.split()))
        if name.endswith("_split"):
            layer.type = "Split"
    return message


@pytest.mark.parametrize("case", SPLITS)
def test_splits(case: str) -> None:
    before, after = map(graph, SPLITS[case])
    assert insert_splits(before) == after
    assert insert_splits(after) == after
    assert before == graph(SPLITS[case][0])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a: -> x y\nb: z -> w", r"Unknown bottom blob 'z' \(layer 'b', bottom index 0\)\. .* make: x, y\."),
        ("a: x -> y", r"Unknown bottom blob 'x' \(layer 'a', bottom index 0\)\. .* make: nothing\."),
        ("a: -> x\nb: x z -> w\nc: -> z", r"Unknown bottom blob 'z' \(layer 'b', bottom index 1\)"),
    ],
)
def test_unknown_bottoms(lines: str, words: str) -> None:
    with pytest.raises(NetError, match=words):
        insert_splits(graph(lines))
