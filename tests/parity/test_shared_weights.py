"""Two towers with one set of weights, trained here and in real Caffe, saved and resumed by either."""

import shutil

import numpy as np
import pytest

import caffe
from tests.cases.case import layer
from tests.cases.draw import draw, generator
from tests.parity.test_training import TRAIN

STEPS = 8


def tower(number: int) -> list[str]:
    """Inputs that never change, and two layers whose parameters both towers share."""
    data = f"dummy_data_param {{ shape {{ dim: 3 dim: 4 }} data_filler {{ type: 'constant' value: {0.5 - number} }} }}"
    product = 'inner_product_param { num_output: 4 } param { name: "w" lr_mult: 2 } param { name: "b" }'
    return [
        layer(f"x{number}", "DummyData", [], [f"x{number}"], data),
        layer(f"a{number}", "InnerProduct", [f"x{number}"], [f"h{number}"], product),
        layer(f"s{number}", "TanH", [f"h{number}"], [f"h{number}"]),
        layer(f"b{number}", "InnerProduct", [f"h{number}"], [f"y{number}"], product),
    ]


NET = "\n".join([*tower(0), *tower(1), layer("loss", "EuclideanLoss", ["y0", "y1"], ["loss"])])
SOLVER = 'net: "net.prototxt" base_lr: 0.02 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.01 max_iter: 99 '


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("towers")
    (folder / "net.prototxt").write_text(NET)
    for kind in ("BINARYPROTO", "HDF5"):
        (folder / f"{kind}.prototxt").write_text(SOLVER + f'snapshot_prefix: "{kind}" snapshot_format: {kind}')
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TRAIN)
    for index, blob in enumerate(net.params["a0"]):
        blob.data[...] = draw("weights", blob.data.shape, generator("tower", index))
    net.save(str(folder / "weights.caffemodel"))
    return folder


@pytest.fixture(scope="module", params=["BINARYPROTO", "HDF5"])
def trained(request, workplace, tmp_path_factory):
    """Who trained → its folder with a snapshot, and its losses; for one kind of snapshot."""
    found = {}
    for who, train in TRAIN.items():
        folder = tmp_path_factory.mktemp("trained") / "towers"
        shutil.copytree(workplace, folder)
        start = {"weights": "weights.caffemodel", "steps": STEPS, "snapshot": True}
        found[who] = folder, train(folder, solver=f"{request.param}.prototxt", **start)
    return request.param, found


def test_losses(trained):
    (_, expected), (_, found) = trained[1].values()
    assert expected[-1] < expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("who", TRAIN)
def test_both_go_on_alike_from_a_snapshot_of(who, trained, tmp_path):
    kind, folders = trained
    state = f"{kind}_iter_{STEPS}.solverstate{'.h5' if kind == 'HDF5' else ''}"
    losses = []
    for train in TRAIN.values():
        folder = tmp_path / train.__name__
        shutil.copytree(folders[who][0], folder)
        losses.append(train(folder, solver=f"{kind}.prototxt", restore=state, steps=STEPS))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
