"""The layers inside a Net, as prototxts name them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from tests.data_layers.driver import MEAN, NAMES


def net(tmp_path: Path, voc: Path, split: str, phase: int) -> caffe.Net:
    params = {"voc_dir": str(voc), "split": split, "mean": MEAN, "seed": 1337}
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "data" type: "Python" top: "data" top: "label" '
        f'python_param {{ module: "voc_layers" layer: "VOCSegDataLayer" param_str: "{params}" }} }}'
    )
    return caffe.Net(str(path), phase)


def test_every_image_in_turn(tmp_path: Path, voc: Path) -> None:
    test_net = net(tmp_path, voc, "val", caffe.TEST)
    for name in NAMES:
        assert test_net.layers[0].indices[test_net.layers[0].idx] == name
        test_net.forward()
        truth = np.asarray(Image.open(voc / f"SegmentationClass/{name}.png"))
        assert test_net.blobs["data"].data.shape == (1, 3, *truth.shape)
        assert (test_net.blobs["label"].data[0, 0] == truth).all()


def test_reshape_does_not_take_the_next_image(tmp_path: Path, voc: Path) -> None:
    train_net = net(tmp_path, voc, "train", caffe.TRAIN)
    before = train_net.layers[0].idx
    train_net.reshape()
    train_net.reshape()
    assert train_net.layers[0].idx == before
    assert train_net.layers[0].state()["position"] == 0


def test_errors_reach_the_caller(tmp_path: Path, voc: Path) -> None:
    (voc / "SegmentationClass/b.png").unlink()
    test_net = net(tmp_path, voc, "val", caffe.TEST)
    test_net.forward()
    with pytest.raises((FileNotFoundError, RuntimeError), match=r"image 'b' .*SegmentationClass/b\.png"):
        test_net.forward()
