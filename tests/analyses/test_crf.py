"""The three rows and their controls, on the demo in miniature."""

from dataclasses import replace

import numpy as np
import pytest

import caffe
from analyses import crf
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.variants import stages


@pytest.fixture
def scored(trained):
    """A trained 32s whose scores are random."""
    weights = stages.trained_weights("demo-fcn32s")
    net = caffe.Net("nets/demo-fcn32s/deploy.prototxt", str(weights), caffe.TEST)
    drawn = np.random.default_rng(0)
    for name, blobs in net.params.items():
        for blob in blobs:
            deviation = 0.01 if name.startswith("up") else np.sqrt(2 / blob.data[0].size)
            blob.data[...] = drawn.normal(size=blob.data.shape, scale=deviation)
    net.save(str(weights))
    return weights


def test_a_crf_of_no_weight_changes_no_score(scored):
    row = replace(ROWS["demo-fcn32s-crfrnn"], spatial=0.0, bilateral=0.0)
    assert crf.scores(row, scored) == crf.scores(ROWS["demo-fcn32s"], scored)


def test_settings_are_chosen_on_the_training_split(scored, monkeypatch):
    asked = []

    def scores(row, weights, images=None):
        asked.append((row.theta, images))
        return {"mean_iu": {5.0: 0.1, 9.0: 0.3, 7.0: 0.2}[row.theta[0]]}

    monkeypatch.setattr(crf, "scores", scores)
    found = crf.chosen(ROWS["demo-fcn32s-crfrnn"], scored, [(5.0, 1.0), (9.0, 2.0), (7.0, 3.0)], 4)
    assert found.theta[:2] == (9.0, 2.0)
    assert {images for _, images in asked} == {4}


def test_in_the_controls_one_part_learns(scored, tmp_path):
    more, faster, alone, both = crf.trials(ROWS["demo-fcn32s-crfrnn"], 1)
    learning = {
        trial.name: {
            layer.name
            for layer in trial.row.net("train").layer
            if layer.type in ("Convolution", "MultiStageMeanfield") and layer.param[0].lr_mult
        }
        for trial in (more, faster, alone, both)
    }
    assert learning["CRF alone"] == {"inference1"}
    assert learning["end to end"] == learning["more updates"] | {"inference1"}
    assert learning["faster"] == learning["more updates"]
    assert faster.row.recipe.base_lr > more.row.recipe.base_lr == both.row.recipe.base_lr


def test_every_row_is_told_with_both_measures(scored, capsys):
    assert crf.main(["--updates", "1", "--images", "2", "--seeds", "1", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith(("plain", "more", "faster", "disconnected", "CRF", "end"))]
    assert [line[:14].strip() for line in rows] == [
        "plain",
        "more updates",
        "faster",
        "disconnected",
        "CRF alone",
        "end to end",
    ]
    assert rows[0].split()[-1] == "61.3"
    assert rows[-1].split()[-1] == "69.6"


def test_a_row_without_a_crf_is_refused(trained, capsys):
    with pytest.raises(SystemExit):
        crf.main(["demo-fcn32s"])
    assert "demo-fcn32s has no CRF, expected one of" in capsys.readouterr().err
