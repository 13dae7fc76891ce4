"""Every training of a reference net goes here as it goes in real Caffe: the same losses, weights and test results.

From the same weights, on the same images; what is random in the published files is put aside: nothing is mirrored, and
dropout does what it does in testing.
"""

import numpy as np
import pytest

from tests.parity import bvlc, tasks
from tests.parity.reference import prepare

SOLVERS = sorted(path for path in bvlc.ROOT.glob("solvers/reference/*.prototxt") if path.stem != "googlenet_quick")
ITERATIONS = {"vgg16": 1, "alexnet": 2, "caffenet": 2, "googlenet": 2, "squeezenet_v1.0": 2, "squeezenet_v1.1": 2}
OUTPUTS, PARAMETERS, UPDATES, SMALL = 1e-5, 1e-4, 1e-4, 0.1
WIDER = {
    # Of a million overlapping windows, in some the two largest values are equal but for rounding, and the gradient may
    # take either way: weights that are disturbed in their last bit move the updates here by as much.
    **{"googlenet": 2e-2, "squeezenet_v1.0": 1e-2, "squeezenet_v1.1": 1e-2},
    # A gradient that is zero but for rounding is divided by its own size.
    "mnist_autoencoder_adagrad": 5e-3,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {path: tmp_path_factory.mktemp(path.stem) for path in SOLVERS}
    for path, folder in made.items():
        prepare(path, folder)
    return made


@pytest.fixture(scope="module")
def in_bvlc(folders):
    todo = [
        bvlc.Task("tests.parity.tasks", "train_reference", ITERATIONS.get(path.stem, 5), folders[path], seconds=600)
        for path in SOLVERS
    ]
    return dict(zip(SOLVERS, bvlc.run_tasks(todo, progress=True), strict=True))


@pytest.mark.parametrize("path", SOLVERS, ids=lambda path: path.stem)
def test_training(path, folders, in_bvlc, monkeypatch):
    expected = in_bvlc[path]
    assert not isinstance(expected, bvlc.Refused), expected.words
    monkeypatch.chdir(folders[path])
    found = tasks.train_reference(ITERATIONS.get(path.stem, 5))
    assert found.keys() == expected.keys()
    tolerances = {"param": (PARAMETERS, 0), "update": (WIDER.get(path.stem, UPDATES), 0)}
    for key, values in expected.items():
        tolerance, least = tolerances.get(key.split("/")[0], (OUTPUTS, SMALL))
        assert np.linalg.norm(found[key] - values) <= tolerance * max(np.linalg.norm(values), least), key


def test_every_net_that_trains_is_trained():
    nets = {path.parent.name for path in bvlc.ROOT.glob("nets/reference/*/train_val.prototxt")}
    assert {net for net in nets if not any(path.stem.startswith(net) for path in SOLVERS)} == set()
