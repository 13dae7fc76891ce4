"""tools/score.py: each image once, from the first; and its warning."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import score
from fcn_caffe.data_layers.voc_layers import VOCSegDataLayer
from fcn_caffe.net_spec.catalogue import VARIANTS
from fcn_caffe.pictures.class_names import class_names
from fcn_caffe.scoring.confusions import ABSENT_EXCLUDED, confusions
from tests.tools.conftest import SIZE

NET = """
layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "voc_layers"
  layer: "VOCSegDataLayer" param_str: "{'voc_dir': 'mine', 'split': 'val', 'mean': (0, 0, 0), 'n_classes': 3}" } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 BIAS } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { normalize: false ignore_label: 255 } }
"""


def run(*options):
    return score.main(["--net", "val.prototxt", "--weights", "net.caffemodel", *options])


def write_net(bias=""):
    Path("val.prototxt").write_text(NET.replace("BIAS", bias))
    net = caffe.Net("val.prototxt", caffe.TEST)
    net.params["score"][0].data[...] = np.random.default_rng(0).normal(size=(3, 3, 1, 1)) if not bias else 0
    net.save("net.caffemodel")
    return net


def test_every_image_counts_once_wherever_the_layer_stood(folder):
    net = write_net()
    first = confusions(net, {"label": "score"}, save_dir=Path("labels"))["label"]
    net.forward()
    again = confusions(net, {"label": "score"}, images=99, save_dir=Path("again"))["label"]
    assert (again == first).all()
    for path in Path("labels").iterdir():
        assert path.read_bytes() == Path("again", path.name).read_bytes()
    assert first.sum() == 3 * SIZE[0] * SIZE[1]
    assert sorted(path.name for path in Path("labels").iterdir()) == ["image0.png", "image1.png", "image2.png"]


def test_the_numbers_are_those_of_the_labels(folder):
    net = write_net()
    hist = confusions(net, {"label": "score"}, save_dir=Path("labels"))["label"]
    right = total = 0
    for path in Path("labels").iterdir():
        truth = np.asarray(Image.open(f"mine/SegmentationClass/{path.name}"))
        right, total = right + (np.asarray(Image.open(path)) == truth).sum(), total + truth.size
    assert np.trace(hist) == right
    assert hist.sum() == total


def test_all_background_is_told(folder, capsys):
    write_net(bias='bias_filler { type: "constant" }')
    assert run("--json", "out/scores.json") == 0
    assert "WARNING: everything is predicted as class 0" in capsys.readouterr().out
    assert json.loads(Path("out/scores.json").read_text())["mean_accuracy"] == pytest.approx(1 / 3)


def test_classes_are_called_by_their_names_and_their_mistakes_are_told(folder, capsys):
    net = write_net()
    Path("mine/classes.txt").write_text("sand\nkelp\nseal\n")
    assert run("--json", "scores.json", "--loss") == 0
    out = capsys.readouterr().out
    found = json.loads(Path("scores.json").read_text())
    hist = np.array(found["confusion"])
    assert (hist == confusions(net, {"label": "score"})["label"]).all()
    assert found["classes"] == ["sand", "kelp", "seal"]
    most = np.argmax(np.where(np.arange(3) == 0, -1, hist[0]))
    share = hist[0, most] / hist[0].sum()
    (line,) = (line for line in out.splitlines() if "  0  sand" in line)
    assert f"{found['iu'][0]:.3f}" in line
    assert f"{['sand', 'kelp', 'seal'][most]} {share:.1%}" in line
    losses = []
    for _ in range(3):
        net.forward()
        losses.append(float(net.blobs["loss"].data))
    assert found["loss"] == pytest.approx(np.mean(losses))
    assert f"mean loss {found['loss']:.6g}" in out


def test_names_are_given_or_absent_but_never_too_few(folder, capsys):
    write_net()
    assert run("--json", "scores.json") == 0
    assert json.loads(Path("scores.json").read_text())["classes"] is None
    assert "class 2" in capsys.readouterr().out
    Path("names.txt").write_text("one\ntwo\n")
    assert run("--names", "names.txt") == 1
    assert "names 2 classes, expected the net's 3" in capsys.readouterr().err


def test_classes_that_are_kept_keep_their_names():
    layer = caffe.Layer.__new__(VOCSegDataLayer)
    layer.param_str = "{'voc_dir': 'nowhere', 'classes': [0, 8, 10]}"
    assert class_names(layer, 3) == ["background", "cat", "cow"]
    assert class_names(layer, 4) is None
    layer.param_str = "{'voc_dir': 'nowhere'}"
    assert class_names(layer, 21)[20] == "tvmonitor"
    assert class_names(layer, 20) is None
    layer.param_str = "not a dictionary"
    assert class_names(layer, 21) is None


def test_data_of_ones_own_are_not_called_by_vocs_names(tmp_path, capsys):
    layer = caffe.Layer.__new__(VOCSegDataLayer)
    layer.param_str = repr({"voc_dir": str(tmp_path), "n_classes": 21})
    assert class_names(layer, 21) is None
    names = [f"kind {cls}" for cls in range(21)]
    (tmp_path / "classes.txt").write_text("\n".join(names))
    assert class_names(layer, 21) == names
    (tmp_path / "classes.txt").write_text("sky\nsky\n")
    assert class_names(layer, 21) is None
    assert "classes.txt':2: sky comes twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "layer", "n_classes", "first", "last"),
    [
        ("nyud_layers", "NYUDSegDataLayer", 40, "wall", "otherprop"),
        ("siftflow_layers", "SIFTFlowSegDataLayer", 33, "awning", "window"),
        ("siftflow_layers", "SIFTFlowSegDataLayer", 3, "sky", "vertical"),
        ("pascalcontext_layers", "PASCALContextSegDataLayer", 60, "background", "wood"),
        ("pascalcontext_layers", "PASCALContextSegDataLayer", 33, "aeroplane", "ceiling"),
        ("camvid_layers", "CamVidSegDataLayer", 11, "sky", "bicyclist"),
    ],
)
def test_every_data_sets_classes_have_names(module, layer, n_classes, first, last):
    cls = getattr(importlib.import_module(module), layer)
    instance = cls.__new__(cls)
    instance.param_str = "{}"
    names = class_names(instance, n_classes)
    assert (names[0], names[-1], len(set(names))) == (first, last, n_classes)


def test_absent_and_ignored_classes_are_left_out_where_asked(folder, capsys):
    write_net()
    for path in Path("mine/SegmentationClass").iterdir():
        label = np.asarray(Image.open(path))
        Image.fromarray(np.where(label == 2, 0, label)).save(path)
    found = {}
    for name, options in {"": [], "absent": ["--exclude-absent"], "ignored": ["--ignore", "1"]}.items():
        assert run("--json", "scores.json", *options) == 0
        found[name] = json.loads(Path("scores.json").read_text())
        found[name, "out"] = capsys.readouterr().out
    assert found[""]["absent"] == [2]
    assert found[""]["iu"][2] == 0
    assert "whose truth is class 2: they count with an IU of 0" in found["", "out"]
    assert found["absent"]["iu"][2] is None
    assert found["absent"]["mean_iu"] == pytest.approx(np.mean(found[""]["iu"][:2]))
    assert "left out of the means" in found["absent", "out"]
    assert found["ignored"]["absent"] == [1, 2]
    assert found["ignored"]["iu"][1:] == [None, None]
    assert np.sum(found["ignored"]["confusion"]) < np.sum(found[""]["confusion"])


def test_a_missing_seg11valid_comes_with_the_remedy(folder, capsys):
    write_net()
    Path("val.prototxt").write_text(Path("val.prototxt").read_text().replace("'val'", "'seg11valid'"))
    assert run() == 1
    assert "fcn data fetch seg11valid" in capsys.readouterr().err


def test_two_heads_get_a_table_each(folder, capsys):
    write_net()
    two = (
        NET.replace("BIAS", "")
        + """
layer { name: "geo" type: "Split" bottom: "label" top: "geo" }
layer { name: "score_geo" type: "Power" bottom: "score" top: "score_geo" power_param { scale: -1 } }"""
    )
    Path("two.prototxt").write_text(two)
    net = caffe.Net("two.prototxt", caffe.TEST, weights="net.caffemodel")
    hists = confusions(net, {"label": "score", "geo": "score_geo"}, save_dir=Path("labels"))
    assert (hists["label"] != hists["geo"]).any()
    assert (hists["label"].sum(1) == hists["geo"].sum(1)).all()
    assert Path("labels/geo_image0.png").is_file()
    assert Path("labels/label_image0.png").is_file()


def test_sift_flow_alone_leaves_absent_classes_out_by_itself():
    assert [row.name for row in VARIANTS if row.data.module in ABSENT_EXCLUDED] == [
        f"siftflow-fcn{stride}s" for stride in (32, 16, 8)
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--net val.prototxt --weights net.caffemodel --score scoer", "no blob scoer; there are data, label,"),
        ("--net nothing.prototxt --weights net.caffemodel", "nothing.prototxt"),
        ("voc-fcn8s", "fcn solve voc-fcn8s"),
        ("voc-fcn9s", "Did you mean voc-fcn8s"),
    ],
)
def test_what_is_wrong_is_said(folder, capsys, line, words):
    write_net()
    assert score.main(line.split()) == 1
    assert words in capsys.readouterr().err


def test_the_truth_is_never_overwritten_by_what_is_predicted(folder, capsys):
    write_net()
    truth = Path("mine/SegmentationClass")
    before = {path.name: path.read_bytes() for path in truth.iterdir()}
    assert run("--save-dir", str(truth)) == 1
    assert "no output of this project: it stays. Name another folder with --save-dir" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in truth.iterdir()} == before
    for _ in range(2):
        assert run("--save-dir", "labels") == 0
