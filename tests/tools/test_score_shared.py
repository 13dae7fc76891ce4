"""Scoring that several processes share out counts what one counts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fcn_caffe import sharing
from fcn_caffe.scoring.confusions import confusions
from fcn_caffe.sharing import Share
from tests.tools.conftest import ROOT, write_voc

NET = """
layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "voc_layers"
  layer: "VOCSegDataLayer" param_str: "{'voc_dir': 'mine', 'split': 'val', 'mean': (1, 2, 3), 'n_classes': 3}" } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


@pytest.fixture
def net(empty):
    """A net with a data layer of seven images, which are the same in every process."""
    import caffe

    write_voc(Path("mine"), images=7)
    names = [f"image{index}" for index in range(7)]
    Path("mine/ImageSets/Segmentation/val.txt").write_text("\n".join(names))
    Path("val.prototxt").write_text(NET)
    caffe.set_random_seed(3)
    made = caffe.Net("val.prototxt", caffe.TEST)
    made.save("net.caffemodel")
    return made


@pytest.mark.parametrize("count", [2, 3, 9])
def test_the_shares_of_processes_add_up_to_the_whole(net, count):
    import caffe

    whole = confusions(net, {"label": "score"})["label"]
    total = np.zeros_like(whole)
    for rank in range(count):
        part = caffe.Net("val.prototxt", "net.caffemodel", caffe.TEST)
        total += confusions(part, {"label": "score"}, share=Share(rank, count))["label"]
    np.testing.assert_array_equal(total, whole)


def test_every_thing_has_one_process():
    things = list(range(10))
    for count in (1, 3, 12):
        assert sorted(sum((list(Share(rank, count).own(things)) for rank in range(count)), [])) == things


def test_a_place_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="expected what torchrun sets"), sharing.together():
        pass


@pytest.mark.slow(reason="two processes that load torch")
def test_fcn_score_under_torchrun(net):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    score = ["-m", "fcn_caffe", "score", "--net", "val.prototxt", "--weights", "net.caffemodel", "--loss", "--json"]
    alone = subprocess.run(
        [sys.executable, *score, "alone.json"], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    both = subprocess.run(
        [*run, *score, "both.json"], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    one, two = (json.loads(Path(f"{name}.json").read_text()) for name in ("alone", "both"))
    assert one.pop("loss") == pytest.approx(two.pop("loss"))
    assert one == two
    assert "pixel accuracy" in alone.stdout
    assert both.stdout.count("pixel accuracy") == 1
