"""Every training of a reference net goes here as it goes in real Caffe: the same losses, weights and test results.

From the same weights, on the same images; what is random in the published files is put aside: nothing is mirrored, and
dropout does what it does in testing.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.parity import bvlc, tasks
from tests.parity.reference import prepare

SOLVERS = sorted(path for path in bvlc.ROOT.glob("solvers/reference/*.prototxt") if path.stem != "googlenet_quick")
ITERATIONS = {"vgg16": 1, "alexnet": 2, "caffenet": 2, "googlenet": 2, "squeezenet_v1.0": 2, "squeezenet_v1.1": 2}
Arrays = dict[str, np.ndarray]
OUTPUTS, PARAMETERS, UPDATES, SMALL = 1e-5, 1e-4, 1e-4, 0.1
DISTURBANCE = 3e-7
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
    todo = [task(path, folders[path]) for path in SOLVERS]
    return dict(zip(SOLVERS, bvlc.run_tasks(todo, progress=True), strict=True))


def task(path: Path, folder: Path, disturbance: float = 0) -> bvlc.Task:
    argument = [ITERATIONS.get(path.stem, 5), disturbance]
    return bvlc.Task("tests.parity.tasks", "train_reference", argument, folder, seconds=600)


def too_far(found: Arrays, expected: Arrays, update: float, moved: Sequence[Arrays] = ()) -> list[str]:
    """The names of what is further apart than the tolerances, and than three times what rounding does to it: `moved` is
    `expected` from disturbed weights. Where a gradient cancels, nothing may move; so a layer's parameters count as one.
    """
    tolerances = {"param": (PARAMETERS, 0), "update": (update, 0)}
    names = []
    for key, values in expected.items():
        tolerance, least = tolerances.get(key.split("/")[0], (OUTPUTS, SMALL))
        kin = [other for other in expected if other.rsplit("/", 1)[0] == key.rsplit("/", 1)[0]]
        rounding = max((float(np.linalg.norm(each[k] - expected[k])) for each in moved for k in kin), default=0)
        allowed = max(tolerance * max(np.linalg.norm(values), least), 3 * rounding)
        if not np.linalg.norm(found[key] - values) <= allowed:
            names.append(key)
    return names


@pytest.mark.parametrize("path", SOLVERS, ids=lambda path: path.stem)
def test_training(path, folders, in_bvlc, monkeypatch):
    expected = in_bvlc[path]
    assert not isinstance(expected, bvlc.Refused), expected.words
    monkeypatch.chdir(folders[path])
    found = tasks.train_reference([ITERATIONS.get(path.stem, 5), 0])
    assert found.keys() == expected.keys()
    update = WIDER.get(path.stem, UPDATES)
    if too_far(found, expected, update):  # how far depends on the CPU: on how it adds
        moved = bvlc.run_tasks([task(path, folders[path], sign * DISTURBANCE) for sign in (1, -1)])
        assert not too_far(found, expected, update, moved)


def test_what_rounding_does_to_a_training_is_allowed_and_no_more():
    def training(weight: float, bias: float, loss: float = 1) -> Arrays:
        arrays = {"update/fc/0": weight, "update/fc/1": bias, "update/other/0": 1, "train/0/loss": loss}
        return {name: np.array([float(value)]) for name, value in arrays.items()}

    expected, moved = training(1, 0), [training(1.001, 0), training(0.9999, 0)]
    assert too_far(training(1.0029, 0.0029), expected, UPDATES) == ["update/fc/0", "update/fc/1"]
    assert not too_far(training(1.0029, 0.0029), expected, UPDATES, moved)
    assert too_far(training(1.0031, 0.0031, 1.1), expected, UPDATES, moved) == [*list(expected)[:2], "train/0/loss"]
    assert too_far(training(np.nan, 0), expected, UPDATES, moved) == ["update/fc/0"]


def test_every_net_that_trains_is_trained():
    nets = {path.parent.name for path in bvlc.ROOT.glob("nets/reference/*/train_val.prototxt")}
    assert {net for net in nets if not any(path.stem.startswith(net) for path in SOLVERS)} == set()
