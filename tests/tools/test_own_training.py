"""fcn new: how the nets of a task are trained: changed images, batches, weights of classes, for how long."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.proto import caffe_pb2
from fcn_caffe.commands import solve
from fcn_caffe.net_spec import recipes
from fcn_caffe.variants import class_weights, tasks
from tests.tools.test_new_task import SQUEEZENET, make, photos, random_squeezenet  # noqa: F401 - fixtures


def net(phase="train"):
    message = caffe_pb2.NetParameter()
    from google.protobuf import text_format

    return text_format.Parse(Path(f"tasks/pools/nets/pools-fcn16s/{phase}.prototxt").read_text(), message)


def settings(phase="train"):
    return ast.literal_eval(net(phase).layer[0].python_param.param_str)


def test_training_images_are_mirrored_and_nothing_else_unless_it_is_asked_for(photos):  # noqa: F811
    assert make(*SQUEEZENET) == 0
    found = settings()
    assert found["mirror"] is True
    assert not {"scale", "crop", "colour", "batch"} & found.keys()
    assert "mirror" not in settings("val")
    assert make(*SQUEEZENET, "--no-mirror", name="other") == 0
    assert "mirror" not in Path("tasks/other/nets/other-fcn16s/train.prototxt").read_text()


def test_augmentation_batches_and_weights_train(photos, random_squeezenet, monkeypatch, capsys):  # noqa: F811
    more = ["--scale", "0.5", "1.5", "--crop", "20", "--colour", "0.3", "--batch", "2", "--class-weights", "auto"]
    assert make(*SQUEEZENET, *more) == 0
    assert "weights: water " in capsys.readouterr().out
    found = settings()
    assert (found["scale"], found["crop"], found["colour"], found["batch"]) == ([0.5, 1.5], 20, 0.3, 2)
    monkeypatch.setenv("SQUEEZENET_V1_1_CAFFEMODEL", str(random_squeezenet))
    assert solve.main(["pools", "--chain", "--iterations", "2"]) == 0
    assert json.loads(Path("snapshot/pools-fcn8s/scores.json").read_text())


def test_weights_of_classes_are_those_of_the_loss_in_training_alone(photos):  # noqa: F811
    assert make(*SQUEEZENET, "--class-weights", "1", "0.5", "4") == 0
    assert [layer.type for layer in net().layer][-1] == "InfogainLoss"
    assert [layer.type for layer in net("val").layer][-1] == "SoftmaxWithLoss"
    scores = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 3, (1, 1, 4, 5))
    labels[0, 0, 0, 0] = 255
    loss = net().layer[-1]
    text = f"""
    layer {{ name: "in" type: "Input" top: "score" top: "label"
      input_param {{ shape {{ dim: [1, 3, 4, 5] }} shape {{ dim: [1, 1, 4, 5] }} }} }}
    layer {{ {loss} }}"""
    Path("loss.prototxt").write_text(text)
    made = caffe.Net("loss.prototxt", caffe.TRAIN)
    made.blobs["score"].data[...], made.blobs["label"].data[...] = scores, labels
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    right = np.take_along_axis(p, np.where(labels == 255, 0, labels), 1)
    weights = np.array([1, 0.5, 4, *[0] * 253])[labels]
    assert made.forward()["loss"] == pytest.approx(-(weights * np.log(right)).sum(), rel=1e-5)


@pytest.mark.parametrize("words", [["1", "2"], ["1", "2", "x"], ["1", "2", "-3"], ["0", "0", "0"], ["1", "2", "nan"]])
def test_wrong_weights_are_refused(photos, words, capsys):  # noqa: F811
    assert make(*SQUEEZENET, "--class-weights", *words) == 1
    assert "expected auto, or a number of 0 or more for each of the 3 classes" in capsys.readouterr().err
    assert not Path("tasks").exists()


def test_rare_classes_weigh_more():
    np.testing.assert_allclose(class_weights.of(["auto"], np.array([100, 50, 200, 0, 1])), [0.75, 1.5, 0.375, 10, 10])


@pytest.mark.parametrize(
    ("images", "iterations", "falls"),
    [(400, 12000, [5000, 10000]), (9000, 12000, [5000, 10000]), (100, 3000, [1250, 2500]), (5, 1500, [625, 1250])],
)
def test_few_images_are_trained_on_for_less_long(images, iterations, falls):
    found = recipes.for_images(recipes.SQUEEZENET_ANY[16], images)
    assert (found.iterations, found.max_iter, found.policy["stepvalue"]) == (iterations, iterations, falls)


def test_a_task_of_before_is_still_read(photos):  # noqa: F811
    assert make(*SQUEEZENET) == 0
    path = Path("tasks/pools/task.json")
    values = json.loads(path.read_text())
    for key in ("training", "weighted", "upright"):
        del values[key]
    path.write_text(json.dumps(values))
    assert tasks.read(Path("tasks/pools")).training == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--scale", "2", "1"], "two factors, the smaller first"),
        (["--colour", "2"], "a number from 0 to 1"),
        (["--crop", "-1"], "--crop counts pixels"),
        (["--batch", "5000"], "at most 1024"),
    ],
)
def test_changes_that_cannot_be_are_refused(photos, line, words, capsys):  # noqa: F811
    with pytest.raises(SystemExit):
        make(*SQUEEZENET, *line)
    assert words in capsys.readouterr().err


def test_without_a_backbone_it_is_one_that_few_images_are_enough_for(photos):  # noqa: F811
    assert make(*SQUEEZENET[:6]) == 0
    assert tasks.read(Path("tasks/pools")).backbone == "squeezenet"
