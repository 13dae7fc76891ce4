"""Errors spell shapes one way, name what was probably meant, and carry their parts for programs."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe import errors
from caffe.errors import CaffeError, DataError, NetError, ShapeError
from caffe.shapes import shape_string, shape_text

SOURCES = sorted(Path(caffe.__file__).parent.rglob("*.py"))
INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 3, 4, 4] } } }'


def net_of(tmp_path, text):
    path = tmp_path / "net.prototxt"
    path.write_text(f"{INPUT}\n{text}", encoding="utf-8")
    return caffe.Net(str(path), caffe.TEST)


@pytest.mark.parametrize(("shape", "text"), [((1, 3, 224, 224), "1×3×224×224"), ((7,), "7"), ((), "()")])
def test_a_shape_is_spelled_with_crosses(shape, text):
    assert shape_text(shape) == text


def test_a_shape_in_caffes_log_has_the_number_of_values():
    assert shape_string((2, 3)) == "2 3 (6)"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_message_spells_a_shape_in_another_way(path):
    """Nothing called `shape` stands in a text that is raised, other than through shape_text."""
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Raise) and statement.exc is not None:
            for shown in ast.walk(statement.exc):
                if isinstance(shown, ast.FormattedValue):
                    value = shown.value
                    name = getattr(value, "attr", getattr(value, "id", ""))
                    assert name not in ("shape", "_shape"), f"line {shown.lineno}: use shape_text"


@pytest.mark.parametrize(
    ("wrong", "meant"), [("Convolutoin", "Convolution"), ("RELU", "ReLU"), ("softmaxwithloss", "SoftmaxWithLoss")]
)
def test_an_unknown_layer_type_is_told_the_closest_name_alone(tmp_path, wrong, meant):
    with pytest.raises(NetError) as raised:
        net_of(tmp_path, f'layer {{ name: "a" type: "{wrong}" bottom: "x" top: "y" }}')
    assert f"Unknown layer type: {wrong}. Did you mean '{meant}'?" in str(raised.value)
    assert len(str(raised.value)) < 300
    assert (raised.value.layer, raised.value.found) == ("a", [wrong])
    assert set(raised.value.expected) >= set(caffe.layer_type_list())
    assert str(raised.value).endswith(raised.value.remedy)


def test_a_layer_type_like_no_other_is_told_where_the_names_are(tmp_path):
    with pytest.raises(NetError, match=r"Unknown layer type: Qqq\nCorrect `type` \(caffe\.layer_type_list\(\)"):
        net_of(tmp_path, 'layer { name: "a" type: "Qqq" bottom: "x" top: "y" }')


def test_an_error_while_a_net_is_built_names_its_layer(tmp_path):
    text = 'layer { name: "c" type: "Concat" bottom: "x" bottom: "x" top: "y" concat_param { axis: 9 } }'
    with pytest.raises(ShapeError) as raised:
        net_of(tmp_path, text)
    assert raised.value.layer == "c"
    assert "2×3×4×4" in str(raised.value)


def test_an_error_while_a_net_runs_names_its_layer_and_what_was_found_and_expected(tmp_path):
    text = 'layer { name: "s" type: "Eltwise" bottom: "x" bottom: "z" top: "y" }'
    net = net_of(tmp_path, INPUT.replace('"x"', '"z"') + text)
    net.blobs["z"].reshape(2, 3, 5, 4)
    with pytest.raises(ShapeError) as raised:
        net.forward()
    assert raised.value.layer == "s"
    assert (raised.value.found, raised.value.expected) == ((2, 3, 5, 4), (2, 3, 4, 4))


def test_wrong_labels_are_an_errors_parts(tmp_path):
    labels = 'layer { name: "l" type: "Input" top: "l" input_param { shape { dim: [2, 1, 4, 4] } } }'
    net = net_of(
        tmp_path, labels + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" top: "loss" }'
    )
    net.blobs["l"].data[...] = np.arange(32).reshape(2, 1, 4, 4) % 5
    with pytest.raises(DataError) as raised:
        net.forward()
    error = raised.value
    assert (error.layer, error.found, error.expected) == ("loss", [3, 4], range(3))
    assert error.remedy in str(error)


@pytest.mark.parametrize(
    ("settings", "found", "expected"),
    [
        ("loss_weight: 1 loss_weight: 2", 2, (0, 1)),
        ("propagate_down: true propagate_down: true", 2, (0, 1)),
        ("param { lr_mult: 1 }", 1, 0),
        ('bottom: "x"', 2, (1, 1)),
    ],
)
def test_a_layer_with_too_much_of_something_is_told_with_both_numbers(tmp_path, settings, found, expected):
    with pytest.raises(NetError) as raised:
        net_of(tmp_path, f'layer {{ name: "a" type: "ReLU" bottom: "x" top: "y" {settings} }}')
    assert (raised.value.layer, raised.value.found, raised.value.expected) == ("a", found, expected)


def raised_messages():
    """Place and words of each raise of this package's errors, with {…} for values; other raises pass an error on."""
    names = {cls.__name__ for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, CaffeError)}
    for path in SOURCES:
        for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = statement.exc if isinstance(statement, ast.Raise) else None
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in names and call.args:
                yield f"{path}:{statement.lineno}", words_of(call.args[0])


def words_of(node):
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.BinOp):
        return words_of(node.left) + words_of(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(words_of(value) for value in node.values)
    return "{…}"


def test_every_error_says_what_to_do():
    passed_on = re.compile(r"(?:[^.]*: )?\{…\}\.?$")  # the error that is filled in says it
    silent = [
        f"{place}: {words}"
        for place, words in raised_messages()
        if not (passed_on.match(words) or CaffeError(words).remedy or "pip install" in words)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("message", "found", "expected", "remedy"),
    [
        (
            "layer 'a' (ReLU): sigma is 0, expected a number above 0. Correct it.",
            "sigma is 0",
            "a number above 0",
            "Correct it.",
        ),
        ("--mean 1,x: expected numbers. Correct it.", "--mean 1,x", "numbers", "Correct it."),
        (
            "'a.b.lmdb': File is empty. Expected a path a line. Fill it.",
            "File is empty",
            "a path a line",
            "Fill it.",
        ),
        ("no more than that", "no more than that", None, None),
    ],
)
def test_a_message_of_the_usual_form_gives_an_error_its_parts(message, found, expected, remedy):
    error = CaffeError(message)
    assert (error.found, error.expected, error.remedy) == (found, expected, remedy)


def test_values_that_are_given_are_an_errors_parts_instead_of_words():
    error = CaffeError("x: 3 axes, expected 4. Reshape it.", layer="a", found=3, expected=4)
    assert (error.layer, error.found, error.expected, error.remedy) == ("a", 3, 4, "Reshape it.")
