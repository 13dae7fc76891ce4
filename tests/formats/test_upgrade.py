"""Old nets in today's form. `upgrade/*.old.prototxt` are ours; `*.new.prototxt` is what BVLC Caffe makes of them."""

from pathlib import Path

import pytest

from caffe.errors import FormatError
from caffe.formats import prototxt
from caffe.formats.upgrade import LAYER_TYPES, SOLVER_TYPES, needs_upgrade, upgrade_net, upgrade_solver
from caffe.proto import caffe_pb2

OLD = sorted((Path(__file__).parent / "upgrade").glob("*.old.prototxt"))


def net(text: str) -> caffe_pb2.NetParameter:
    return prototxt.parse(text, caffe_pb2.NetParameter())


@pytest.mark.parametrize("old", OLD, ids=lambda path: path.name.removesuffix(".old.prototxt"))
def test_as_caffe_upgrades(old: Path) -> None:
    upgraded = prototxt.read_net(old)
    assert upgraded == net(Path(str(old).replace(".old.", ".new.")).read_text())
    assert not needs_upgrade(upgraded) or "batch_norm" in old.name


@pytest.mark.parametrize("old", OLD, ids=lambda path: path.name.removesuffix(".old.prototxt"))
def test_twice_is_once(old: Path) -> None:
    upgraded = prototxt.read_net(old)
    again = caffe_pb2.NetParameter()
    again.CopyFrom(upgraded)
    assert upgrade_net(again, "again")
    assert again == upgraded


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            'layers { layer { type: "relu" } }',
            [
                "I] Attempting to upgrade input file specified using deprecated V0LayerParameter: old.txt",
                "I] Successfully upgraded file specified using deprecated V0LayerParameter",
                "I] Attempting to upgrade input file specified using deprecated V1LayerParameter: old.txt",
                "I] Successfully upgraded file specified using deprecated V1LayerParameter",
            ],
        ),
        (
            "layers { type: DATA data_param { scale: 2 } }",
            [
                "I] Attempting to upgrade input file specified using deprecated transformation parameters: old.txt",
                "I] Successfully upgraded file specified using deprecated data transformation parameters.",
                "I] Attempting to upgrade input file specified using deprecated V1LayerParameter: old.txt",
                "I] Successfully upgraded file specified using deprecated V1LayerParameter",
            ],
        ),
        (
            'input: "x"',
            [
                "I] Attempting to upgrade input file specified using deprecated input fields: old.txt",
                "I] Successfully upgraded file specified using deprecated input fields.",
            ],
        ),
        (
            'layer { type: "BatchNorm" param { } param { } param { } }',
            [
                "I] Attempting to upgrade batch norm layers using deprecated params: old.txt",
                "I] Successfully upgraded batch norm layers using deprecated params.",
            ],
        ),
        ('layer { type: "BatchNorm" param { } }', []),
    ],
)
def test_log(text: str, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    upgrade_net(net(text), "old.txt")
    assert _log(capsys) == lines


def test_lost_fields_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    old = net('layers { layer { type: "relu" num_output: 3 hdf5_output_param { } } }')
    assert not upgrade_net(old, "old.txt")
    log = _log(capsys)
    assert "E] Unknown parameter num_output for layer type relu" in log
    assert "E] Unknown parameter hdf5_output_param for layer type relu" in log
    assert any("Warning: had one or more problems upgrading V0NetParameter" in line for line in log)


def _log(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [f"{line[0]}] {line.split('] ', 1)[1]}" for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layers { type: RELU } layer { }", "Refusing to upgrade inconsistent NetParameter input"),
        ('layers { layer { type: "foo" } }', "Unknown layer name: foo"),
        ('layers { layer { type: "relu" name: "r" } bottom: "x" }', "Unknown blob input x to layer r"),
        (
            'input: "x" layers { layer { type: "padding" } bottom: "x" top: "p" } '
            'layers { layer { type: "relu" } bottom: "p" }',
            "Padding layer input to non-convolutional / non-pooling layer type relu",
        ),
        (
            'input: "x" layers { layer { type: "padding" } bottom: "x" top: "p" } '
            'layers { layer { type: "conv" } bottom: "p" bottom: "x" }',
            "Conv Layer takes a single blob as input",
        ),
        (
            'input: "x" layers { layer { type: "padding" } bottom: "x" bottom: "x" top: "p" } '
            'layers { layer { type: "conv" } bottom: "p" }',
            "Padding Layer takes a single blob as input",
        ),
        (
            'input: "x" layers { layer { type: "padding" } bottom: "x" top: "p" top: "q" } '
            'layers { layer { type: "conv" } bottom: "q" }',
            "Padding Layer produces a single blob as output",
        ),
        ('input: "x" input_dim: 1 input_dim: 2', "Incorrect input blob dimension specifications"),
        ('input: "x" input: "y" input_shape { dim: 1 }', "found 2 `input` fields, 1 `input_shape`"),
    ],
)
def test_what_cannot_be_upgraded(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=r"old\.txt: ") as caught:
        upgrade_net(net(text), "old.txt")
    assert words in str(caught.value)


def test_every_old_type_has_a_new_one() -> None:
    assert set(LAYER_TYPES) == set(caffe_pb2.V1LayerParameter.LayerType.keys())
    assert set(SOLVER_TYPES) == set(caffe_pb2.SolverParameter.SolverType.keys())


@pytest.mark.parametrize("name", SOLVER_TYPES)
def test_solver_types(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    solver = prototxt.parse(f"solver_type: {name}", caffe_pb2.SolverParameter())
    upgrade_solver(solver, "s.txt")
    assert solver == caffe_pb2.SolverParameter(type=SOLVER_TYPES[name])
    assert _log(capsys) == [
        "I] Attempting to upgrade input file specified using deprecated 'solver_type' field (enum)': s.txt",
        "I] Successfully upgraded file specified using deprecated 'solver_type' field (enum) to 'type' field (string).",
    ]
    upgrade_solver(solver, "s.txt")
    assert _log(capsys) == []


def test_both_solver_types() -> None:
    solver = caffe_pb2.SolverParameter(type="SGD", solver_type=caffe_pb2.SolverParameter.ADAM)
    with pytest.raises(FormatError, match="cannot be both specified"):
        upgrade_solver(solver, "s.txt")
