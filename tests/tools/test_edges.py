"""fcn edges: a net's edges beside Sobel's and Canny's."""

import json

import numpy as np
import pytest

import caffe
from fcn_caffe.commands import edges
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
