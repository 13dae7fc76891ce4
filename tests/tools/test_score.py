"""tools/score.py: each image once, from the first; and its warning."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from tests.tools.conftest import SIZE
from tools import project, score  # noqa: F401  (project puts the data layers on the path)

NET = """
layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "voc_layers"
  layer: "VOCSegDataLayer" param_str: "{'voc_dir': 'mine', 'split': 'val', 'mean': (0, 0, 0), 'n_classes': 3}" } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 BIAS } }
"""


def write_net(bias=""):
    Path("val.prototxt").write_text(NET.replace("BIAS", bias))
    net = caffe.Net("val.prototxt", caffe.TEST)
    net.params["score"][0].data[...] = np.random.default_rng(0).normal(size=(3, 3, 1, 1)) if not bias else 0
    net.save("net.caffemodel")
    return net


def test_every_image_counts_once_wherever_the_layer_stood(folder):
    net = write_net()
    first = score.confusions(net, {"label": "score"}, save_dir=Path("labels"))["label"]
    net.forward()
    again = score.confusions(net, {"label": "score"}, images=99, save_dir=Path("again"))["label"]
    assert (again == first).all()
    for path in Path("labels").iterdir():
        assert path.read_bytes() == Path("again", path.name).read_bytes()
    assert first.sum() == 3 * SIZE[0] * SIZE[1]
    assert sorted(path.name for path in Path("labels").iterdir()) == ["image0.png", "image1.png", "image2.png"]


def test_the_numbers_are_those_of_the_labels(folder):
    net = write_net()
    hist = score.confusions(net, {"label": "score"}, save_dir=Path("labels"))["label"]
    right = total = 0
    for path in Path("labels").iterdir():
        truth = np.asarray(Image.open(f"mine/SegmentationClass/{path.name}"))
        right, total = right + (np.asarray(Image.open(path)) == truth).sum(), total + truth.size
    assert np.trace(hist) == right
    assert hist.sum() == total


def test_all_background_is_told(folder, capsys):
    write_net(bias='bias_filler { type: "constant" }')
    assert score.main(["--net", "val.prototxt", "--weights", "net.caffemodel", "--json", "out/scores.json"]) == 0
    assert "WARNING: everything is predicted as class 0" in capsys.readouterr().out
    assert json.loads(Path("out/scores.json").read_text())["mean_accuracy"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--net val.prototxt --weights net.caffemodel --score scoer", "no blob scoer; there are data, label, score"),
        ("--net nothing.prototxt --weights net.caffemodel", "nothing.prototxt"),
        ("voc-fcn8s", "solve.py voc-fcn8s"),
        ("voc-fcn9s", "There are voc-fcn32s"),
    ],
)
def test_what_is_wrong_is_said(folder, capsys, line, words):
    write_net()
    assert score.main(line.split()) == 1
    assert words in capsys.readouterr().err
