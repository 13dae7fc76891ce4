"""The FCN part on real Caffe, in its Python 3.9, from a bare checkout: nets are written, weights moved, a net is
trained, scored and used, and what it computes is what it computes here."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe import cli
from fcn_caffe.variants.build import published
from tests.parity import bvlc
from tests.parity.fcn_part import SURGERY, moved
from tests.tools.conftest import write_voc

PART = ["fcn_caffe", "net_spec", "surgery", "data_layers", "splits", "tools"]
TOY = ["demo-fcn32s", "--voc-dir", "mine", "--classes", "3", "--name", "toy"]


def run(folder, *command):
    done = bvlc.run_command(["python3", *command], folder, copy=[*PART, "nets", "solvers"])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_nets_written_there_are_the_nets_here(tmp_path):
    shutil.copytree(bvlc.ROOT / "nets", tmp_path / "nets")
    shutil.copytree(bvlc.ROOT / "solvers", tmp_path / "solvers")
    assert "are up to date" in run(tmp_path, "-m", "net_spec", "--check")


@pytest.mark.parametrize("name", SURGERY)
def test_surgery_there_gives_the_weights_that_it_gives_here(name, tmp_path, monkeypatch):
    (there,) = bvlc.run_tasks([bvlc.Task("tests.parity.fcn_part", "moved", name, tmp_path)], copy=PART)
    monkeypatch.chdir(tmp_path)
    here = moved(name)
    assert here.keys() == there.keys()
    for key, values in here.items():
        np.testing.assert_array_equal(values, there[key], key)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project's home with random weights of the demo's classifier and a data set of three classes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snapshot/demo-classifier").mkdir(parents=True)
    caffe.set_random_seed(1)
    published("demo-classifier", "conv").save("snapshot/demo-classifier/conv.caffemodel")
    write_voc(tmp_path / "mine")
    return tmp_path


def test_a_net_is_trained_scored_and_used_there(home, monkeypatch):
    said = run(home, "CHECKOUT/tools/solve.py", *TOY, "--iterations", "2", "--no-check")
    assert "mean IU" in said
    folder = home / "snapshot/toy-fcn32s"
    assert len((folder / "loss.csv").read_text().splitlines()) == 3
    assert json.loads((folder / "scores.json").read_text())[-1]["iteration"] == 2
    run(home, "CHECKOUT/tools/score.py", *TOY, "--json", "there.json")
    run(home, "CHECKOUT/tools/infer.py", "snapshot/toy-fcn32s", "mine/JPEGImages/image0.png", "--out", "there")
    assert cli.main(["score", *TOY, "--json", "here.json"]) == 0
    assert cli.main(["infer", "snapshot/toy-fcn32s", "mine/JPEGImages/image0.png", "--out", "here"]) == 0
    there, here = (json.loads((home / f"{side}.json").read_text())["confusion"] for side in ("there", "here"))
    assert there == here
    seen = [np.asarray(Image.open(home / side / "image0.png")) for side in ("there", "here")]
    np.testing.assert_array_equal(*seen)
