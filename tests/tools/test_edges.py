"""fcn edges: a net's edges beside Sobel's and Canny's; and what other commands make of such a net."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from fcn_caffe.commands import compare, edges, infer, score
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.training import comparison
from tests.tools.conftest import write_voc


@pytest.fixture
def trained(empty):
    """camvid-hed on tiny images, with a snapshot of random weights."""
    write_voc(empty / "data/camvid", n_classes=11)
    folder = empty / "snapshot/camvid-hed"
    folder.mkdir(parents=True)
    net = caffe.Net("nets/camvid-hed/deploy.prototxt", caffe.TEST)
    drawn = np.random.default_rng(0)
    for name, blobs in net.params.items():
        if not name.startswith(("upside", "fuse")):
            blobs[0].data[...] = drawn.normal(size=blobs[0].data.shape, scale=np.sqrt(2 / blobs[0].data[0].size))
    net.save(str(folder / "train_iter_1.caffemodel"))
    (folder / "train_iter_1.solverstate").touch()
    return empty


def test_the_net_stands_beside_the_operators(trained, capsys):
    assert edges.main(["camvid-hed", "--json", "scores.json", "--images", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["net", "Sobel", "Canny"]
    found = json.loads((trained / "scores.json").read_text())
    assert all(0 < each["ods"] <= each["ois"] + 1e-9 <= 1 + 1e-9 for each in found.values())


@pytest.mark.parametrize(("option", "value"), [("--images", "0"), ("--tolerance", "1"), ("--tolerance", "-0.1")])
def test_wrong_options_are_refused(trained, capsys, option, value):
    with pytest.raises(SystemExit):
        edges.main(["camvid-hed", option, value])
    assert option in capsys.readouterr().err


def test_a_net_that_finds_no_edges_is_told(trained, capsys):
    write_voc(trained / "out/demo/data/VOC", n_classes=6)
    folder = trained / "snapshot/demo-fcn32s"
    folder.mkdir()
    net = caffe.Net("nets/demo-fcn32s/deploy.prototxt", caffe.TEST)
    net.save(str(folder / "train_iter_1.caffemodel"))
    (folder / "train_iter_1.solverstate").touch()
    assert edges.main(["demo-fcn32s"]) == 1
    assert "expected one that finds edges, such as camvid-hed" in capsys.readouterr().err


def test_pictures_of_edges_show_edges_and_not_classes(trained):
    rows, captions = comparison.rows(["camvid-hed"], images=1)
    image, truth, found = rows[0]
    assert image.size == truth.size == found.size
    assert captions == [["", "", ""]]
    label = np.asarray(Image.open(sorted((trained / "data/camvid/SegmentationClass").iterdir())[0]))
    edge = np.asarray(truth)[..., 0] == 0
    right = label[:, 1:] != label[:, :-1]
    assert edge[:, :-1][right & (label[:, 1:] != VOID) & (label[:, :-1] != VOID)].all()
    assert not edge[label == VOID].any()
    assert 0 < edge.mean() < 1
    assert len(np.unique(np.asarray(found))) > 2, "probabilities, not classes"


def test_nets_that_learn_something_else_are_not_compared_with_one_that_finds_edges(trained, capsys):
    assert compare.main(["camvid-hed", "camvid-fcn8s"]) == 1
    assert "camvid-fcn8s is scored by its label, camvid-hed by its edges" in capsys.readouterr().err


def test_an_image_becomes_the_probability_of_an_edge(trained):
    photo = str(sorted((trained / "data/camvid/JPEGImages").iterdir())[0])
    assert infer.main(["camvid-hed", photo, "--scores"]) == 0
    stored = Image.open(next(path for path in Path("out/infer").glob("*.png") if "overlay" not in path.name))
    scores = np.load(next(Path("out/infer").glob("*.npy"))).astype(np.float64)
    assert stored.mode == "L"
    expected = 255 / (1 + np.exp(scores[0] - scores[1]))
    assert np.abs(np.asarray(stored) - expected).max() <= 0.5 + 1e-3


def test_classes_of_edges_are_named_so_whatever_the_data_set_calls_its_classes(trained, capsys):
    (trained / "data/camvid/classes.txt").write_text("meadow\nforest\n")
    assert score.main(["camvid-hed", "--images", "1"]) == 0
    said = capsys.readouterr().out
    assert "no edge" in said
    assert "meadow" not in said


def test_a_crf_does_not_refine_edges(trained, capsys):
    photo = str(sorted((trained / "data/camvid/JPEGImages").iterdir())[0])
    assert infer.main(["camvid-hed", photo, "--crf", "deeplab"]) == 1
    assert "the net finds edges, and --crf refines scores of classes of regions" in capsys.readouterr().err
    assert not list(Path("out/infer").glob(f"{Path(photo).stem}*"))
