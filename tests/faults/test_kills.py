"""What the killer rests on: it notices what was lost."""

from __future__ import annotations

import random
import sys

import h5py
import numpy as np
import pytest

from tests.faults import kills
from tests.faults.kills import Run
from tests.faults.trainings import Training

WRITER = """
import os, pathlib, sys, time
ends = sys.argv[1:]
for iteration in range({first}, {last}):
    time.sleep(0.02)
    for end in ("caffemodel", "solverstate"):
        path = pathlib.Path(f"x_iter_{{iteration}}.{{end}}")
        part = path.with_name(path.name + ".tmp")
        part.write_text(f"{{end}} {{iteration}} {words}" * 1000)
        time.sleep(0.005)
        os.replace(part, path)
for part in pathlib.Path().glob("*.tmp"):
    part.unlink()
"""


def training(words="", first="len(ends) and int(ends[0].split('_')[2].split('.')[0]) + 1 or 1", last=9):
    """A program that writes snapshots one after the other."""
    text = WRITER.format(first=first, last=last, words=words)

    def command(state):
        return [sys.executable, "-c", text, *([str(state)] if state else [])]

    return Training("toy", lambda folder: None, command, "x")


def test_a_training_that_loses_nothing_is_said_to_lose_nothing(tmp_path):
    assert kills.kill(training(), 4, random.Random(1), tmp_path) == []


@pytest.fixture
def run(tmp_path):
    """A run that is done and like the unbroken one."""
    unbroken = kills.run_unbroken(training(), tmp_path / "unbroken")
    kills.run_unbroken(training(), tmp_path / "run")
    return Run(training(), unbroken, tmp_path / "run", random.Random(1))


def test_a_changed_snapshot_is_a_loss(run):
    run.compare()
    assert not run.lost
    (run.folder / "x_iter_3.caffemodel").write_text("other")
    run.compare()
    assert run.lost == ["lost: toy: x_iter_3.caffemodel is not what the unbroken training saved"]


def test_a_missing_snapshot_and_a_half_written_file_are_losses(run):
    (run.folder / "x_iter_8.solverstate").unlink()
    (run.folder / "x_iter_8.caffemodel.1.tmp").write_text("")
    run.training = training(first="9")
    run.finish()
    assert sorted(run.lost) == ["lost: toy: x_iter_8.solverstate is missing at the end"]


def test_a_training_that_fails_to_resume_is_a_loss(run):
    run.training = Training(
        "toy", lambda folder: None, lambda state: [sys.executable, "-c", "raise SystemExit(3)"], "x"
    )
    run.finish()
    assert run.lost[0].startswith("lost: toy: the resumed training ended with status 3")


def test_hdf5_files_are_the_same_if_they_hold_the_same(tmp_path):
    for name, value, order in (("a.h5", 1, "ab"), ("b.h5", 1, "ba"), ("c.h5", 2, "ab")):
        with h5py.File(tmp_path / name, "w") as file:
            for key in order:
                file[key] = np.full(3, value)
    assert kills.same(tmp_path / "a.h5", tmp_path / "b.h5")
    assert not kills.same(tmp_path / "a.h5", tmp_path / "c.h5")
