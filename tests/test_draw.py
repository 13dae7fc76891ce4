"""caffe.draw: the graph as text, and what is said where a program or package is missing."""

import shutil
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format

import caffe
import caffe.draw
from caffe import cli
from caffe.errors import NetError, UsageError
from caffe.net.drawing import compact_text
from caffe.proto import caffe_pb2

NET = """
name: "small"
layer { name: "data" type: "Data" top: "data" data_param { batch_size: 64 } include { phase: TRAIN } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 20 kernel_size: 5 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 10 }
        exclude { phase: TEST } }
"""


def net(text: str = NET) -> caffe_pb2.NetParameter:
    return text_format.Parse(text, caffe_pb2.NetParameter())


def test_graph() -> None:
    lines = caffe.draw.dot_text(net(), "LR").splitlines()
    conv = r'label="conv\n(Convolution)\nkernel size: 5\nstride: 2\npad: 0", shape="box", fillcolor="#FF5050"'
    assert lines[:2] == ['digraph "small" {', "  rankdir=LR;"]
    assert f'  "conv_Convolution" [{conv}, style="filled"];' in lines
    assert '  "data_Data" -> "data_blob" [label="Batch 64"];' in lines
    assert '  "data_blob" -> "conv_Convolution" [label=""];' in lines
    assert '  "conv_Convolution" -> "conv_blob" [label="20"];' in lines
    assert '  "fc_InnerProduct" -> "fc_blob" [label="10"];' in lines
    assert r'  "relu_ReLU" [label="relu\n(ReLU)", shape="box", fillcolor="#90EE90", style="filled"];' in lines
    assert r'"pool\n(Pooling AVE)\nkernel size: 3\nstride: 2\npad: 0"' in "".join(lines)


def test_upright_labels_are_on_one_line_and_may_show_learning_rates() -> None:
    text = caffe.draw.dot_text(net(), "TB", label_edges=False, display_lrm=True)
    assert '"conv (Convolution) kernel size: 5 stride: 2 pad: 0 lr mult: 1.0, 2.0"' in text
    assert '[label="20"]' not in text


def test_phases() -> None:
    assert "data_Data" in caffe.draw.dot_text(net(), "LR", phase=caffe.TRAIN)
    test = caffe.draw.dot_text(net(), "LR", phase=caffe.TEST)
    assert "data_Data" not in test
    assert "fc_InnerProduct" not in test
    assert "conv_Convolution" in test


def test_include_and_exclude_together_are_refused() -> None:
    both = net('layer { name: "x" type: "ReLU" include { phase: TRAIN } exclude { phase: TEST } }')
    with pytest.raises(NetError, match="layer x has both include and exclude specified"):
        caffe.draw.dot_text(both, "LR", phase=caffe.TRAIN)


def test_old_nets_are_drawn_and_left_alone() -> None:
    old = net('input: "data" input_dim: [1, 3, 2, 2] layers { name: "r" type: RELU bottom: "data" top: "r" }')
    before = old.SerializeToString()
    assert '"r_ReLU" -> "r_blob"' in caffe.draw.dot_text(old, "LR")
    assert old.SerializeToString() == before


def test_learning_rate_multipliers() -> None:
    assert caffe.draw.get_layer_lr_mult(net().layer[1]) == (1.0, 2.0)
    assert caffe.draw.get_layer_lr_mult(net().layer[4]) == (1.0, 1.0)
    with pytest.raises(ValueError, match="Pooling layers do not have a learning rate multiplier"):
        caffe.draw.get_layer_lr_mult(net().layer[3])


@pytest.mark.parametrize("extension", ["dot", "gv", "raw"])
def test_text_files_need_nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str) -> None:
    monkeypatch.setenv("PATH", "")
    caffe.draw.draw_net_to_file(net(), tmp_path / f"net.{extension}")
    assert (tmp_path / f"net.{extension}").read_text() == caffe.draw.dot_text(net(), "LR")


def test_pictures_need_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="Install Graphviz"):
        caffe.draw.draw_net(net(), "LR")


def test_pydot_graph_needs_pydot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(UsageError, match="pip install pydot"):
        caffe.draw.get_pydot_graph(net(), "LR")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz (the program `dot`) is not installed")
def test_picture() -> None:
    assert caffe.draw.draw_net(net(), "LR", "svg").lstrip().startswith(b"<?xml")
    with pytest.raises(UsageError, match="could not draw a nonsense picture"):
        caffe.draw.draw_net(net(), "LR", "nonsense")


def test_a_compact_drawing_folds_layers_in_place_and_shows_shapes(tmp_path: Path) -> None:
    file = Path(__file__).resolve().parents[1] / "nets/reference/squeezenet_v1.1/deploy.prototxt"
    text = compact_text(caffe.Net(str(file), caffe.TEST))
    assert "rankdir=TB" in text
    assert r'"conv1" [label="conv1\nConvolution 3×3, stride 2\n+ ReLU"' in text
    assert r'"pool1" [label="pool1\nPooling MAX 3×3, stride 2"' in text
    assert '"conv1" -> "pool1" [label="10×64×113×113"' in text
    assert '"fire2/squeeze1x1" -> "fire2/expand3x3" [label="10×16×56×56"' in text
    assert "relu" not in text
    assert "split" not in text
    boxes = [line for line in text.splitlines() if "->" not in line and "label=" in line]
    assert len(boxes) == 41


def test_the_command_writes_a_compact_drawing(tmp_path: Path) -> None:
    file = Path(__file__).resolve().parents[1] / "nets/demo-fcn8s/deploy.prototxt"
    assert cli.main(["draw_net", str(file), str(tmp_path / "net.dot"), "--compact", "--rankdir", "BT"]) == 0
    text = (tmp_path / "net.dot").read_text(encoding="utf-8")
    assert "rankdir=BT" in text
    assert '"upscore8" -> "score"' in text
    assert '"input" -> "score"' in text
