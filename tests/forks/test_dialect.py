"""What a net's words mean where only the user can tell: said by an argument, a flag, a variable, a net or a solver."""

import logging

import numpy as np
import pytest

import caffe
from caffe import dialect
from caffe.errors import UsageError
from tests.forks.forms import distinct, layer, net_of

EDGES = np.array([[0, 1, 1, 0], [0, 0, 0, 1]], np.float32).reshape(2, 1, 2, 2)
LOSS = layer("SigmoidCrossEntropyLoss")


@pytest.fixture(autouse=True)
def no_dialect(monkeypatch):
    monkeypatch.delenv("CAFFE_DIALECT", raising=False)
    yield
    dialect.dialect_flag("")


def balanced(x, t):
    total = 0
    for scores, labels in zip(x.reshape(len(x), -1), t.reshape(len(t), -1), strict=True):
        edges, background = (labels == 1).sum(), (labels == 0).sum()
        for score, label in zip(scores, labels, strict=True):
            p = 1 / (1 + np.exp(-score))
            if label == 1:
                total -= background / (edges + background) * np.log(p)
            elif label == 0:
                total -= edges / (edges + background) * np.log(1 - p)
    return total / len(x)


def test_heds_loss_weighs_edges_and_background_against_each_other(monkeypatch):
    monkeypatch.setenv("CAFFE_DIALECT", "hed")
    x = distinct(2, 1, 2, 2)
    net = net_of(LOSS, [x, EDGES], force_backward=True)
    assert np.allclose(net.forward()["y"], balanced(x, EDGES), rtol=1e-5)
    net.backward()
    for index in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-4
        slope = (balanced(x + step, EDGES) - balanced(x - step, EDGES)) / 2e-4
        assert np.isclose(net.blobs["x0"].diff[index], slope, atol=1e-5)


def test_other_targets_of_heds_loss_cost_nothing_and_have_a_gradient(monkeypatch):
    monkeypatch.setenv("CAFFE_DIALECT", "hed")
    x, t = distinct(1, 1, 2, 2), EDGES[:1].copy()
    t[0, 0, 0, 0] = 2
    net = net_of(LOSS, [x, t], force_backward=True)
    assert np.allclose(net.forward()["y"], balanced(x, t), rtol=1e-5)
    net.backward()
    assert np.isclose(net.blobs["x0"].diff[0, 0, 0, 0], 1 / (1 + np.exp(-x[0, 0, 0, 0])) - 2, atol=1e-5)


def test_without_a_dialect_the_loss_is_bvlcs():
    x = distinct(2, 1, 2, 2)
    p = 1 / (1 + np.exp(-x))
    plain = -(EDGES * np.log(p) + (1 - EDGES) * np.log(1 - p)).sum() / 2
    assert np.allclose(net_of(LOSS, [x, EDGES]).forward()["y"], plain, rtol=1e-5)


def test_face_boxes_has_16_boxes_of_32_pixels_and_4_of_64(monkeypatch):
    monkeypatch.setenv("CAFFE_DIALECT", "faceboxes")
    text = layer("PriorBox", "prior_box_param { min_size: 32 min_size: 64 min_size: 128 clip: false }")
    y = net_of(text, [np.zeros((1, 1, 2, 2)), np.zeros((1, 3, 100, 100))]).forward()["y"]
    boxes = y[0, 0].reshape(4, 21, 4) * 100
    wanted = [(j * 8, i * 8, 31) for i in range(-2, 2) for j in range(-2, 2)]
    wanted += [(j * 16, i * 16, 63) for i in range(-1, 1) for j in range(-1, 1)] + [(0, 0, 127)]
    for box, (right, down, side) in zip(boxes[0], wanted, strict=True):
        x, y = 25 + right, 25 + down
        assert np.allclose(box, (x - side / 2, y - side / 2, x + side / 2, y + side / 2), atol=1e-3)


CROPPED = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 1, 20, 20] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 1 kernel_size: 3 pad: 5 } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Deconvolution" bottom: "pool" top: "up"
        convolution_param { num_output: 1 kernel_size: 4 stride: 2 bias_term: false } }
layer { name: "score" type: "Crop" bottom: "up" bottom: "data" top: "score" }
"""


def cropping(tmp_path, **settings):
    (tmp_path / "net.prototxt").write_text(CROPPED, encoding="utf-8")
    return caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, **settings)


def cut(net):
    net.blobs["data"].data[...] = distinct(1, 1, 20, 20)
    net.params["conv"][0].data[...] = 1
    net.params["up"][0].data[...] = 1
    net.forward()
    return net.blobs["up"].data, net.blobs["score"].data


def test_a_crop_without_offset_whose_coordinates_need_one_warns_and_says_how_to_choose(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="caffe"):
        up, score = cut(cropping(tmp_path))
    assert np.array_equal(score, up[:, :, :20, :20])
    words = "\n".join(record.getMessage() for record in caplog.records)
    assert "layer 'score' (Crop) has no offset" in words
    assert "it would be [5, 5]" in words
    assert "dialect 'crop'" in words


def test_a_crop_is_by_coordinates_in_the_dialect_crop(tmp_path):
    up, score = cut(cropping(tmp_path, dialect="crop"))
    assert np.array_equal(score, up[:, :, 5:25, 5:25])


def test_an_offset_that_is_given_is_no_matter(tmp_path, caplog):
    text = CROPPED.replace('top: "score"', 'top: "score" crop_param { offset: 2 }')
    (tmp_path / "net.prototxt").write_text(text, encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="caffe"):
        up, score = cut(caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, dialect="crop"))
    assert np.array_equal(score, up[:, :, 2:22, 2:22])
    assert not caplog.records


def test_the_argument_counts_before_the_flag_and_the_flag_before_the_variable(monkeypatch):
    monkeypatch.setenv("CAFFE_DIALECT", "hed")
    assert dialect.chosen("", "n") == ("hed",)
    dialect.dialect_flag("crop, faceboxes")
    assert dialect.chosen("", "n") == ("crop", "faceboxes")
    assert dialect.chosen("crop", "n") == ("crop",)


def test_a_solver_hands_its_dialect_to_its_nets(tmp_path):
    (tmp_path / "net.prototxt").write_text(CROPPED, encoding="utf-8")
    (tmp_path / "solver.prototxt").write_text(
        f"net: '{tmp_path}/net.prototxt' base_lr: 1 lr_policy: 'fixed' dialect: 'crop'", encoding="utf-8"
    )
    up, score = cut(caffe.SGDSolver(str(tmp_path / "solver.prototxt")).net)
    assert np.array_equal(score, up[:, :, 5:25, 5:25])


def test_a_dialect_that_nobody_knows_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"there is no dialect 'klingon'. Known are hed, faceboxes, crop"):
        cropping(tmp_path, dialect="klingon")
