"""The FCN part on real Caffe, in its Python 3.9, from a bare checkout: nets are written, weights moved, a net is
trained, scored and used, and what it computes is what it computes here."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe import cli
from fcn_caffe.net_spec.catalogue import VARIANTS
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
    said = run(tmp_path, "-m", "net_spec", "--check")
    assert "are up to date" in said
    foreign = [row.name for row in VARIANTS if row.foreign]
    assert f"left out, as they have layers of a fork that this Caffe does not have: {', '.join(foreign)}\n" in said


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


NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 5 } } }
layer { name: "score" type: "Convolution" bottom: "data" top: "FIRST"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "msra" } } }
"""
INFER = [
    "CHECKOUT/tools/infer.py",
    "--net",
    "net.prototxt",
    "--weights",
    "net.caffemodel",
    "mine/JPEGImages/image0.png",
]
CRF = ["CHECKOUT/tools/crf.py", "scores", "--images", "mine/JPEGImages"]
REFUSED = {
    "a GPU": ([*INFER, "--gpu", "0"], "infer: --gpu 0: the `caffe` that is imported is BVLC Caffe"),
    "a GPU to train": (["CHECKOUT/tools/solve.py", *TOY, "--gpu", "0"], "solve: --gpu 0: the `caffe` that is imported"),
    "a precision": ([*INFER, "--precision", "bf16"], "infer: --precision bf16: the `caffe` that is imported is BVLC"),
    "a CRF": ([*INFER, "--crf", "deeplab"], "infer: the dense CRF: the `caffe` that is imported is BVLC Caffe"),
    "a CRF for saved scores": (CRF, "crf: the dense CRF: the `caffe` that is imported is BVLC Caffe"),
    "a net of a fork's types": (
        ["CHECKOUT/tools/infer.py", "--net", "fork.prototxt", *INFER[3:]],
        "infer: 'fork.prototxt' has layers of type Interp: the `caffe` that is imported is BVLC Caffe",
    ),
    "a command of the engine that tools/caffe.cpp has not": (["-m", "caffe", "export"], "No module named caffe"),
}
"""What this project's Caffe does and BVLC Caffe does not; docs/design.md lists it."""


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_there_is_refused_in_one_line(what, home):
    command, words = REFUSED[what]
    (home / "net.prototxt").write_text(NET.replace("FIRST", "score"))
    fork = 'layer { name: "large" type: "Interp" bottom: "small" top: "score" }'
    (home / "fork.prototxt").write_text(NET.replace("FIRST", "small") + fork)
    caffe.Net(str(home / "net.prototxt"), caffe.TEST).save(str(home / "net.caffemodel"))
    (home / "scores").mkdir()
    np.save(home / "scores/image0.npy", np.zeros((3, 4, 4), np.float32))
    done = bvlc.run_command(["python3", *command], home, copy=[*PART, "nets", "solvers"])
    said = [line for line in done.stderr.splitlines() if not line.startswith(("I1", "I0", "WARNING: Logging"))]
    assert done.returncode == 1, done.stderr
    assert len(said) == 1, done.stderr
    assert words in said[0]


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
