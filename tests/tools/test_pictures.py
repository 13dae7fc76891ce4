"""fcn_caffe/pictures/drawing.py, fcn curves and fcn_caffe/progress.py: what people look at."""

import contextlib
import io
import os
import pty
import sys

import numpy as np
import pytest
from PIL import Image

from caffe.cli import bars
from fcn_caffe import progress as progress_module
from fcn_caffe.commands import curves as curves_command
from fcn_caffe.pictures import drawing
from fcn_caffe.progress import progress
from fcn_caffe.training import curves
from fcn_caffe.training.score_history import write_scores


def test_palette_is_vocs():
    assert drawing.palette()[[0, 1, 2, 15, 255]].tolist() == [
        *([0, 0, 0], [128, 0, 0], [0, 128, 0], [192, 128, 128]),
        [224, 224, 192],
    ]


def test_overlay_leaves_class_0():
    image = Image.new("RGB", (4, 2), (10, 20, 30))
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
    mixed = np.asarray(drawing.overlay(image, labels, strength=1.0))
    assert mixed[0, 0].tolist() == [10, 20, 30]
    assert mixed[0, 3].tolist() == [128, 0, 0]


def test_grid_holds_every_picture():
    rows = [[Image.new("RGB", size) for size in ((30, 20), (20, 40))] for _ in range(3)]
    grid = drawing.grid(rows, ["a", "b"], height=40)
    assert grid.size[0] == 60 + 20 + 3 * 8
    assert grid.size[1] >= 3 * 40
    captioned = drawing.grid(rows, ["a", "b"], height=40, captions=[["x", "y"]] * 3)
    assert captioned.size[1] > grid.size[1]


def test_cells_of_a_grid_are_large_enough_to_look_at():
    width, height = drawing.grid([[Image.new("RGB", (30, 20))]], ["a"]).size
    assert width >= 360
    assert height >= 240


def test_curves(empty, capsys):
    for name in ("one", "two"):
        (empty / "snapshot" / name).mkdir(parents=True)
        lines = "".join(f"{i},{9 - i},{1 / (i + 1)}\n" for i in range(5))
        (empty / "snapshot" / name / "loss.csv").write_text("iteration,loss,loss_per_pixel\n" + lines)
        write_scores(empty / "snapshot" / name, [{"iteration": 5, "label": {"mean_iu": 0.5}}])
    assert curves_command.main(["one", "two", "--out", "out/c.png"]) == 0
    assert Image.open("out/c.png").width > 500
    assert curves_command.main(["three"]) == 1
    assert "snapshot/three/loss.csv" in capsys.readouterr().err


def test_smoothed():
    assert curves.smoothed(np.array([1.0, 3.0, 5.0]), 2).tolist() == pytest.approx([1, 2, 4])


def test_progress_is_a_bar_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("net", "images", 10, done=4) as advance:
        print("between", file=sys.stderr)
        for _ in range(6):
            advance()
    assert sys.stderr is terminal
    assert "between\n" in terminal.getvalue()
    assert "10/10" in terminal.getvalue()


def test_a_terminal_that_does_not_say_how_wide_it_is_has_a_bar(monkeypatch):
    for shown in (lambda: progress("net", "images", 2), lambda: contextlib.nullcontext(bars.bar(total=2).update)):
        leader, follower = pty.openpty()
        with open(follower, "w") as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            assert os.get_terminal_size(terminal.fileno()).columns == 0
            with shown() as advance:
                advance()
            monkeypatch.undo()
            assert b"| 0/2 [" in os.read(leader, 65536)
        os.close(leader)


def test_progress_is_lines_elsewhere(monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "SECONDS_BETWEEN_LINES", 0.0)
    with progress("net", "images", 10, done=8) as advance:
        advance()
        advance()
    assert capsys.readouterr().err.splitlines() == ["net: 9 of 10 images", "net: 10 of 10 images"]
