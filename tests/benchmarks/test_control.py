"""The training control: Caffe's SGD in plain PyTorch, and losses that equal the engine's."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import caffe
from benchmarks import control
from benchmarks.caffe_sgd import CaffeSgd, multipliers
from benchmarks.data_loading import make_images
from caffe.formats import prototxt
from caffe.proto import caffe_pb2
from fcn_caffe import surgery
from fcn_caffe.scoring.confusions import confusions
from fcn_caffe.variants.customise import everything
from tests.tools.conftest import ROOT

VARIANT = "voc7-fcn8s-squeezenet"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights to start from, in a folder with the nets and a data set of ten images."""
    (tmp_path / "nets").symlink_to(ROOT / "nets")
    (tmp_path / "solvers").mkdir()
    solver = (ROOT / "solvers" / f"{VARIANT}.prototxt").read_text()
    (tmp_path / "solvers" / f"{VARIANT}.prototxt").write_text(re.sub("base_lr: .*", "base_lr: 5e-11", solver))
    make_images(tmp_path / "data" / "voc", 10)
    monkeypatch.chdir(tmp_path)
    net = caffe.Net(f"nets/{VARIANT}/deploy.prototxt", caffe.TEST)
    random = np.random.default_rng(0)
    for name, (weights, *_) in net.params.items():
        if "up" not in name:
            scale = 0.01 if "score" in name else 1.0  # so that no probability is below what a float can hold
            weights.data[...] = random.normal(0, scale * np.sqrt(2 / np.prod(weights.shape[1:])), weights.shape)
    net.save("start.caffemodel")
    return Path("start.caffemodel")


@pytest.mark.slow(reason="trainings of a peer and of the engine")
def test_losses_equal_the_engines(start: Path) -> None:
    nets = everything()
    assert control.compare(nets.find(VARIANT), nets, [start], 3, "cpu")


def test_a_resumed_control_equals_an_unbroken_one(start: Path, tmp_path: Path) -> None:
    nets = everything()
    row = nets.find(VARIANT)
    torch.manual_seed(1)
    first = control.Control(row, nets, [start], "cpu")
    first.step()
    first.save(tmp_path)
    expected = first.step()
    again = control.Control(row, nets, [start], "cpu")
    again.resume(tmp_path)
    assert again.step() == expected
    net = caffe.Net(f"nets/{VARIANT}/deploy.prototxt", caffe.TEST, weights=str(tmp_path / "train.caffemodel"))
    assert net.params["conv1"][0].data.any()


def test_it_scores_as_the_tools_do(start: Path, tmp_path: Path) -> None:
    nets = everything()
    row = nets.find(VARIANT)
    lists = tmp_path / "data/voc/ImageSets/Segmentation"
    (lists / "seg11valid.txt").write_text("3\n8\n")
    val = nets.net_file(row, "val")
    found = control.Control(row, nets, [start], "cpu").confusion(control.Images(val, caffe.TEST, "cpu"), 7)
    net = caffe.Net(val, caffe.TEST, weights=str(start))
    surgery.interp(net, [name for name in net.params if "up" in name])
    expected = confusions(net, {"label": "score"})["label"]
    assert found.sum() == expected.sum() > 0
    assert np.abs(found - expected).sum() <= 1e-3 * expected.sum()


def test_a_variant_that_the_control_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="trunk is caffenet"):
        control.model_of(everything().find("voc-fcn-alexnet"), 0.5)


def test_sgd_keeps_the_rate_in_its_history() -> None:
    """Two updates by hand, the rate falling between them."""
    solver = caffe_pb2.SolverParameter(
        base_lr=0.1, momentum=0.5, weight_decay=0.2, lr_policy="multistep", gamma=0.1, stepvalue=[1], iter_size=2
    )
    weight = torch.tensor([1.0])
    sgd = CaffeSgd(solver, [(weight, 2.0, 1.0)])
    history, value = 0.0, 1.0
    for rate in (0.1, 0.01):
        assert sgd.rate == pytest.approx(rate)
        weight.grad = torch.tensor([6.0])
        sgd.step()
        history = 0.5 * history + 2 * rate * (3.0 + 0.2 * value)
        value -= history
        assert weight.item() == pytest.approx(value, rel=1e-5)


def test_sgd_refuses_what_it_does_not_do() -> None:
    with pytest.raises(ValueError, match="Adam with lr_policy fixed, expected SGD"):
        CaffeSgd(caffe_pb2.SolverParameter(type="Adam", lr_policy="fixed"), [])


def test_multipliers_are_the_nets() -> None:
    found = multipliers(prototxt.read_net(str(ROOT / f"nets/{VARIANT}/train.prototxt")))
    assert found["conv1"] == [(1.0, 1.0), (1.0, 1.0)]
    assert found["score_fr_7cls"] == [(1.0, 1.0), (2.0, 0.0)]
