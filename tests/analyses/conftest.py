"""Where the official labels are, and a working directory with the demo in miniature."""

import shutil
from pathlib import Path

import pytest

import caffe
from tests.tools.conftest import ROOT, classifier, empty, write_voc

__all__ = ["classifier", "empty"]


@pytest.fixture
def official(monkeypatch):
    """From the root of the checkout, with the official VOC labels at data/voc-labels."""
    monkeypatch.chdir(ROOT)
    folder = Path("data/voc-labels")
    if not folder.is_dir():
        pytest.skip(f"needs the complete official VOC labels, val and seg11valid, in {folder}")
    return folder


@pytest.fixture
def demo(empty, classifier):
    """A working directory with the demo's classifier (random weights) and four tiny images in place of its data."""
    (empty / "snapshot/demo-classifier").mkdir(parents=True)
    shutil.copy(classifier, empty / "snapshot/demo-classifier/conv.caffemodel")
    write_voc(empty / "out/demo/data/VOC", n_classes=6)
    return empty


@pytest.fixture
def trained(demo):
    """… and with snapshots of its 32s and 16s, whose scores are zero."""
    for stride in (32, 16):
        folder = demo / f"snapshot/demo-fcn{stride}s"
        folder.mkdir()
        net = caffe.Net(f"nets/demo-fcn{stride}s/deploy.prototxt", caffe.TEST)
        net.save(str(folder / "train_iter_1.caffemodel"))
        (folder / "train_iter_1.solverstate").touch()
    return demo
