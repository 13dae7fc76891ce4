"""Text nets and solvers: what is accepted, and what a mistake is called."""

from pathlib import Path

import pytest

from caffe.errors import FormatError
from caffe.formats import prototxt
from caffe.proto import caffe_pb2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'layer {\n  name: "a"\n  botom: "x"\n}',
            "net.txt:3:3: LayerParameter has no field 'botom'. Did you mean 'bottom'?",
        ),
        ("layr { }", "net.txt:1:1: NetParameter has no field 'layr'. Did you mean 'layer'?"),
        (
            "layer { num_output: 3 }",
            "'num_output' belongs in ConvolutionParameter, EmbedParameter, InnerProductParameter",
        ),
        ("base_lr: 0.1", "'base_lr' belongs in SolverParameter"),
        ("layer { input_param { zzz: 1 } }", "InputParameter has no field 'zzz'. It knows shape."),
        (
            "layer { pooling_param { pool: MIX } }",
            "net.txt:1:31: 'MIX' is none of MAX, AVE, STOCHASTIC. Did you mean 'MAX'?",
        ),
        ("layer { phase: 7 }", "net.txt:1:16: '7' is none of TRAIN, TEST."),
        ('name: "a" name: "b"', 'Non-repeated field "name" is specified multiple times in NetParameter'),
        ("layer { lrn_param { } lrn_param { } }", 'Non-repeated field "lrn_param" is specified multiple times'),
        ("layer { clip_param { min: 1 } }", "Message missing required fields: layer[0].clip_param.max"),
        ("layer { name: 3 }", "net.txt:1:15: Expected string but found: '3'"),
        ("layer { convolution_param { num_output: 3.5 } }", "net.txt:1:41: Couldn't parse integer: 3.5"),
        ('\nlayer { name: "a"', 'net.txt:2:15: Expected "}", in: layer { name: "a"'),
        ("force_backward: yes", 'Expected "true" or "false"'),
        ('name: "a', "String missing ending quote"),
        ("\x00", "net.txt"),
    ],
)
def test_mistakes(text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.txt").write_text(text)
    with pytest.raises(FormatError) as caught:
        prototxt.read_net("net.txt")
    assert words in str(caught.value)
    assert str(caught.value).startswith("Failed to parse NetParameter file: net.txt")


@pytest.mark.parametrize(
    "text",
    [
        'layer { bottom: ["a", "b"] }',
        "layer { bottom: 'a' bottom: 'b' }",
        "layer: { bottom: 'a'; bottom: 'b' }",
        'layer < bottom: "a" bottom: "b" > # why not',
        'layer { bottom: "a" bottom: "" "b" }',
    ],
)
def test_ways_of_writing(text: str) -> None:
    net = prototxt.parse(text, caffe_pb2.NetParameter())
    assert list(net.layer[0].bottom) == ["a", "b"]


def test_round_trip(tmp_path: Path) -> None:
    net = prototxt.parse(
        'name: "n" layer { name: "r" type: "ReLU" loss_weight: 0.1 phase: TEST }', caffe_pb2.NetParameter()
    )
    prototxt.write(tmp_path / "new" / "net.prototxt", net)
    assert prototxt.read_net(tmp_path / "new" / "net.prototxt") == net
    assert "loss_weight: 0.1\n" in (tmp_path / "new" / "net.prototxt").read_text()


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(b'\xef\xbb\xbfname: "n" # caf\xe9\r\n')
    assert prototxt.read_net(path).name == "n"
    path.write_bytes(b'# fine\nname: "caf\xe9"\n')
    with pytest.raises(FormatError, match=r"net.prototxt:2: found bytes that are not UTF-8"):
        prototxt.read_net(path)


def test_solver(tmp_path: Path) -> None:
    (tmp_path / "solver.prototxt").write_text("base_lr: 1e-10\nstepvalue: 3 stepvalue: 5\nsolver_type: ADAM")
    solver = prototxt.read_solver(str(tmp_path / "solver.prototxt"))
    assert (solver.type, list(solver.stepvalue)) == ("Adam", [3, 5])


def test_text_without_a_file_is_named_too() -> None:
    with pytest.raises(FormatError, match="Failed to parse SolverParameter file: <text>:1:1"):
        prototxt.parse("base: 1", caffe_pb2.SolverParameter())


def test_missing_file() -> None:
    with pytest.raises(FormatError, match=r"Could not open file nowhere\.prototxt: there is no such file"):
        prototxt.read_net("nowhere.prototxt")
