"""The loss of every pixel: against Caffe's own loss, and as a picture."""

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from analyses import loss_map
from analyses.loss_map import Regions, heat, pixel_losses
from caffe.proto import caffe_pb2
from fcn_caffe.variants.build import build

LOSS = """
layer { name: "score" type: "Input" top: "score" input_param { shape { dim: [1, 3, 2, 4] } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: [1, 1, 2, 4] } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { normalize: false ignore_label: 255 } }
"""


def test_the_map_adds_up_to_caffes_loss():
    net = build(text_format.Parse(LOSS, caffe_pb2.NetParameter()))
    scores = np.random.default_rng(0).normal(0, 30, (3, 2, 4)).astype(np.float32)
    labels = np.array([[0, 1, 2, 255], [2, 2, 0, 255]], np.float32)
    net.blobs["score"].data[0], net.blobs["label"].data[0, 0] = scores, labels
    net.forward()
    losses = pixel_losses(scores, labels)
    assert np.nansum(losses) == pytest.approx(float(net.blobs["loss"].data), rel=1e-5)
    assert (np.isnan(losses) == (labels == 255)).all()


def test_colours_go_from_black_to_white_and_void_is_gray():
    losses = np.array([[0, 1, 2, 5, np.nan]])
    black, middle, white, more, void = np.asarray(heat(losses, most=2))[0].tolist()
    assert (black, white, more, void) == ([0, 0, 0], [255] * 3, [255] * 3, [128] * 3)
    assert middle not in (black, white)


def test_regions_count_near_and_elsewhere():
    regions = Regions()
    regions.add(np.array([[4.0, 2.0, np.nan, 1.0]]), np.array([[1, 2, 0, 9]]), width=2)
    assert regions.line("net").split() == ["net", "2.3333", "3.0000", "1.0000", "66.7%", "85.7%"]


def test_the_command(trained, capsys):
    line = [
        "demo-fcn32s",
        "demo-fcn16s",
        "--images",
        "1",
        "--skip",
        "1",
        "--boundary",
        "classes",
        "--out",
        "seen/l.png",
    ]
    assert loss_map.main(line) == 0
    rows = [text.split() for text in capsys.readouterr().out.splitlines()[1:3]]
    assert [row[0] for row in rows] == ["demo-fcn32s", "demo-fcn16s"]
    assert float(rows[0][1]) == pytest.approx(np.log(6), abs=1e-3)  # scores that are all zero
    assert Image.open("seen/l.png").width > 100


def test_a_net_that_was_not_trained_is_named(trained, capsys):
    assert loss_map.main(["demo-fcn8s"]) == 1
    assert "demo-fcn8s: no snapshot" in capsys.readouterr().err
