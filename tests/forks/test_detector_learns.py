"""The detector of docs/detection.md learns where the animals of the demo's tide pools are."""

import logging
import re
from pathlib import Path

import pytest

import caffe

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "detection.md").read_text(encoding="utf-8")
*BLOCKS, LAST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BEFORE, LEAST = 0.05, 0.25
"""Mean average precisions: of a detector that has learned nothing, and of this one after a few passes."""


@pytest.fixture
def page():
    names = {}
    for block in BLOCKS:
        exec(compile(block, "docs/detection.md", "exec"), names)
    return names


def test_the_page_ends_with_a_training():
    assert "make_data(folder, train=" in LAST
    assert ".solve()" in LAST


def test_the_net_of_the_page_has_the_same_priors_and_predictions_in_both_phases(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page["make_data"](tmp_path, train=2, val=2)
    shapes = []
    for split, train in (("train", True), ("val", False)):
        (tmp_path / f"{split}.prototxt").write_text(str(page["ssd"](tmp_path / f"{split}_lmdb", train).to_proto()))
        net = caffe.Net(str(tmp_path / f"{split}.prototxt"), caffe.TRAIN if train else caffe.TEST)
        shapes.append([net.blobs[name].data.shape for name in ("locations", "scores", "priors")])
    assert shapes[0] == shapes[1]
    count = 4 * (12 * 12 + 6 * 6 + 3 * 3)
    assert shapes[0] == [(16, 4 * count), (16, 6 * count), (1, 2, 4 * count)]


@pytest.mark.slow(reason="60 iterations of 16 images, 20 s on a core")
def test_the_detector_of_the_page_learns_to_find_animals(page, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    page["make_data"](tmp_path, train=120, val=32)
    with caplog.at_level(logging.INFO):
        caffe.get_solver(str(page["make_solver"](tmp_path, iterations=60, test_batches=2))).solve()
    found = [float(value) for value in re.findall(r"Test net output #0: detection_eval = (\S+)", caplog.text)]
    assert len(found) == 2
    assert found[0] < BEFORE
    assert found[1] > LEAST
