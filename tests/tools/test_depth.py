"""Nets that predict depth, by the same commands as all others."""

import json

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import curves, infer, score, solve
from fcn_caffe.commands import list as list_command
from fcn_caffe.demo import data as demo_data
from fcn_caffe.pictures import depth as pictures
from fcn_caffe.training.score_history import read_scores

NAME = "demo-depth-fcn32s"


@pytest.fixture
def scenes(folder):
    """The demo's scenes with depth, a few, and a classifier of random weights."""
    demo_data.write_depth(folder / "out/demo/data/depth", 1, {"train": 3, "val": 2})
    return folder


def test_it_is_trained_scored_listed_and_used(scenes, capsys):
    assert solve.main([NAME, "--iterations", "2", "--seed", "1", "--allow-zero-init"]) == 0
    (entry,) = read_scores(scenes / f"snapshot/{NAME}")
    assert set(entry["depth"]) == {"rel", "rms", "log10", "delta1", "delta2", "delta3"}
    capsys.readouterr()
    assert score.main([NAME, "--json", "found.json"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[-3:]] == ["rel", "net", "constant"]
    found = json.loads((scenes / "found.json").read_text())
    assert found["net"] == pytest.approx(entry["depth"], rel=1e-5)
    photo = next((scenes / "out/demo/data/depth/data/images").glob("img_val*"))
    assert infer.main([NAME, str(photo), "--scores"]) == 0
    logarithm = np.load(f"out/infer/{photo.stem}.npy")
    depth = np.asarray(Image.open(f"out/infer/{photo.stem}.png"))
    np.testing.assert_allclose(depth, np.clip(1000 * np.exp(logarithm[0]), 1, 65535), atol=0.6)
    assert Image.open(f"out/infer/{photo.stem}_overlay.png").size == Image.open(photo).size
    assert list_command.main([]) == 0
    assert f"{100 * entry['depth']['delta1']:.1f}" in capsys.readouterr().out
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'fcn-caffe[plots]'")
    assert curves.main([NAME, "--out", "curves.png"]) == 0


@pytest.mark.parametrize("options", [["--save-dir", "x"], ["--ignore", "0"], ["--loss"], ["--crf", "deeplab"]])
def test_options_for_classes_are_refused(scenes, capsys, options):
    net = caffe.Net(f"nets/{NAME}/deploy.prototxt", caffe.TEST)
    net.save("net.caffemodel")
    assert score.main([NAME, "--weights", "net.caffemodel", *options]) == 1
    assert f"{options[0]}: the net predicts depth, expected one of classes" in capsys.readouterr().err


@pytest.mark.parametrize(("near", "far"), [(0.5, 9.0), (2.0, 2.0), (0.001, 70.0)])
def test_a_picture_of_depth_is_bright_where_it_is_near(near, far):
    metres = np.array([[near, far]])
    gray = np.asarray(pictures.picture(metres))
    assert gray.tolist() == ([[255, 0]] if far > near else [[255, 255]])
    millimetres = np.asarray(pictures.millimetres(metres))
    assert millimetres.tolist() == [[min(round(1000 * each), 65535) for each in (near, far)]]
