"""The demo's stride-32 net, trained here and in real Caffe: from the same weights, on the same pictures, by the same
Python data layer; and each goes on from what the other saved."""

import os
import shutil

import numpy as np
import pytest

import caffe
from fcn_caffe.demo.data import write_segmentation
from tests.cases.draw import draw, generator
from tests.parity import bvlc, tasks
from tests.parity.published import net_without_dropout

NAME = "demo-fcn32s"
ITERATIONS = 50
LATER = 5
PICTURES = {"train": 12, "val": 2}


def train_in_bvlc(folder, **argument):
    task = bvlc.Task("tests.parity.tasks", "train", argument, folder, seconds=600)
    (result,) = bvlc.run_tasks([task], copy=["fcn_caffe", "data_layers"])
    assert not isinstance(result, bvlc.Refused), result.words
    return result["losses"]


def train_here(folder, **argument):
    before = os.getcwd()
    os.chdir(folder)
    os.environ["CHECKOUT"] = str(bvlc.ROOT)
    try:
        return tasks.train(argument)["losses"]
    finally:
        os.chdir(before)
        del os.environ["CHECKOUT"]


TRAIN = {"real Caffe": train_in_bvlc, "here": train_here}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with pictures, nets, solvers for both kinds of snapshot, and weights."""
    folder = tmp_path_factory.mktemp("demo")
    write_segmentation(folder / "out/demo/data/VOC", 1, PICTURES)
    nets = folder / "nets" / NAME
    nets.mkdir(parents=True)
    for name in ("train", "val", "deploy"):
        (nets / f"{name}.prototxt").write_text(net_without_dropout(bvlc.ROOT / f"nets/{NAME}/{name}.prototxt"))
    solver = (bvlc.ROOT / f"solvers/{NAME}.prototxt").read_text()
    for kind in ("BINARYPROTO", "HDF5"):
        text = solver.replace(f'"snapshot/{NAME}/train"', f'"{kind}"') + f"snapshot_format: {kind}\n"
        (folder / f"{kind}.prototxt").write_text(text)
    net = caffe.Net(str(nets / "deploy.prototxt"), caffe.TEST)
    for layer, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            kind = "bilinear" if layer == "upscore" else "zeros" if index else "he"
            blob.data[...] = draw(kind, blob.data.shape, generator(layer, index))
    net.params["score_fr"][0].data[...] *= 0.01
    net.save(str(folder / "weights.caffemodel"))
    return folder


@pytest.fixture(scope="module")
def trained(workplace, tmp_path_factory):
    """Who trained → its folder with snapshots of both kinds, and its losses."""
    found = {}
    for who, train in TRAIN.items():
        folder = tmp_path_factory.mktemp("trained") / "demo"
        shutil.copytree(workplace, folder)
        losses = train(
            folder, solver="BINARYPROTO.prototxt", weights="weights.caffemodel", steps=ITERATIONS, snapshot=True
        )
        state = f"BINARYPROTO_iter_{ITERATIONS}.solverstate"
        train(folder, solver="HDF5.prototxt", restore=state, steps=0, snapshot=True)
        found[who] = folder, losses
    return found


def test_losses(trained):
    (_, expected), (_, found) = trained["real Caffe"], trained["here"]
    assert expected[-5:].mean() < 0.9 * expected[:5].mean()
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("kind", ["BINARYPROTO", "HDF5"])
@pytest.mark.parametrize("who", TRAIN)
def test_both_go_on_alike_from_a_snapshot_of(who, kind, trained, tmp_path):
    """The place in the data layer's order is left behind: real Caffe does not save it."""
    suffix = ".h5" if kind == "HDF5" else ""
    losses = []
    for train in TRAIN.values():
        folder = tmp_path / train.__name__
        shutil.copytree(trained[who][0], folder, ignore=shutil.ignore_patterns("*.layerstate.json"))
        state = f"{kind}_iter_{ITERATIONS}.solverstate{suffix}"
        losses.append(train(folder, solver=f"{kind}.prototxt", restore=state, steps=LATER))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
