"""A working directory with the files of nets, a tiny data set in VOC's layout and random weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.log import init_log

ROOT = Path(__file__).resolve().parents[2]
SIZE = (18, 22)


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """Random weights of the demo's trunk, in convolutional form."""
    caffe.set_random_seed(1)
    path = tmp_path_factory.mktemp("classifier") / "conv.caffemodel"
    caffe.Net(str(ROOT / "nets/demo-classifier/conv.prototxt"), caffe.TEST).save(str(path))
    return path


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A working directory with the files of nets alone."""
    for folder in ("nets", "solvers"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_CAFFE_ROOT", str(tmp_path))
    for name in ("VGG16_CAFFEMODEL", "SQUEEZENET_V1_1_CAFFEMODEL"):
        monkeypatch.delenv(name, raising=False)
    init_log(2)
    yield tmp_path
    init_log()


@pytest.fixture
def folder(empty, classifier):
    """… and with data (`mine`: 3 classes, lists train, val and test) and the classifier's weights."""
    (empty / "snapshot/demo-classifier").mkdir(parents=True)
    shutil.copy(classifier, empty / "snapshot/demo-classifier/conv.caffemodel")
    write_voc(empty / "mine")
    return empty


def write_voc(root, n_classes=3, images=4):
    rng = np.random.default_rng(0)
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    names = [f"image{index}" for index in range(images)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(root / f"JPEGImages/{name}.png")
        label = rng.integers(0, n_classes, SIZE, dtype=np.uint8)
        Image.fromarray(label).save(root / f"SegmentationClass/{name}.png")
    for split, part in (("train", names), ("val", names[:3]), ("test", names[3:])):
        (root / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(part) + "\n")
