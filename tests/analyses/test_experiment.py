"""Short trainings beside each other, and the two analyses that are made of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from analyses import experiment, momentum, patch_sampling
from analyses.experiment import Trial
from analyses.loss_sampling import sample_loss
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.variants.build import build

ROW = ROWS["demo-fcn32s"]


def test_points_of_a_trial(demo):
    trial = Trial("a trial", replace(ROW, recipe=replace(ROW.recipe, iter_size=2)), updates=4)
    points = experiment.run(trial, Path("out/x"), scorings=2)
    assert [(point["updates"], point["images"]) for point in points] == [(2, 4), (4, 8)]
    assert 0 < points[0]["seconds"] < points[1]["seconds"]
    assert all(0 <= point["mean_iu"] <= point["pixel_accuracy"] <= 1 for point in points)
    assert points[0]["loss"] == pytest.approx(np.log(6), abs=0.2)
    assert Path("out/x/a-trial-seed1/trained.caffemodel").exists()


def test_what_is_there_is_not_run_again_unless_something_changed(demo, monkeypatch):
    trial, solvers = Trial("trial", ROW, updates=1), []
    get_solver = caffe.get_solver
    monkeypatch.setattr(caffe, "get_solver", lambda path: solvers.append(path) or get_solver(path))
    first = experiment.run(trial, Path("out/x"))
    assert experiment.run(trial, Path("out/x")) == first
    assert len(solvers) == 1
    experiment.run(trial, Path("out/x"), seed=2)
    assert len(solvers) == 2


def test_missing_weights_are_named(empty):
    with pytest.raises(FileNotFoundError, match="demo-classifier"):
        experiment.run(Trial("trial", ROW, updates=1), Path("out/x"))


def sampled(demo, keep):
    net = build(sample_loss(ROW.net("train"), keep, cell=4), phase=caffe.TRAIN)
    net.forward()
    return net.blobs["label"].data[0, 0], net.blobs["label_sampled"].data[0, 0].copy(), net


def test_whole_cells_are_left_out_of_the_loss(demo):
    labels, kept, _ = sampled(demo, 0.5)
    counts = kept != 255
    cells = [counts[y : y + 4, x : x + 4] for y in range(0, 18, 4) for x in range(0, 22, 4)]
    assert all(cell.all() or not cell.any() for cell in cells)
    assert 5 < sum(cell.all() for cell in cells) < 25
    assert (kept[counts] == labels[counts]).all()


def test_other_cells_are_left_out_in_every_pass(demo):
    _, first, net = sampled(demo, 0.5)
    net.forward()
    assert ((net.blobs["label_sampled"].data[0, 0] == 255) != (first == 255)).any()


def test_all_cells_are_the_whole_image(demo):
    labels, kept, _ = sampled(demo, 1.0)
    assert (kept == labels).all()


def test_updates_see_as_many_cells_of_more_images():
    sizes = [patch_sampling.trial(ROW, keep, 4, 1e-3, 10).row.recipe.iter_size for keep in patch_sampling.KEEPS]
    assert sizes == [4, 8, 16]


def test_batches_are_sums_and_see_as_many_images():
    trials = [momentum.trial(ROW, name, 1e-9, 100) for name in momentum.SETTINGS]
    assert [trial.updates * trial.row.recipe.iter_size for trial in trials] == [100, 100, 100]
    rates = [trial.row.recipe.base_lr / trial.row.recipe.iter_size for trial in trials]
    assert rates == pytest.approx([1e-9] * 3)


@pytest.mark.parametrize(
    ("tool", "line", "names"),
    [
        (patch_sampling, "--updates 1 --batch 1 --keep 1 0.5", ["whole images", "keep 0.5"]),
        (momentum, "--images 2", ["accum", "online", "heavy"]),
    ],
    ids=["patch_sampling", "momentum"],
)
def test_the_commands(demo, capsys, monkeypatch, tool, line, names):
    monkeypatch.setitem(momentum.SETTINGS, "accum", (2, 0.9))
    assert tool.main([*line.split(), "--out", "out/curves.png"]) == 0
    found = [text[:16].strip() for text in capsys.readouterr().out.splitlines()]
    assert [name for name in found if name in names][: len(names)] == names
    assert Image.open("out/curves.png").width > 800
