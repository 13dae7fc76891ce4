"""What is written beside the snapshots of a training, and how a signal ends it."""

from __future__ import annotations

import csv
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from net_spec.nets import Variant
from tools.atomic import open_atomic


class Stopped(Exception):
    """A signal asked for the end of the training."""


class Recorder:
    """Writes the loss of every iteration to loss.csv, and stops the training before the iteration after a signal.

    Nothing in the folder is touched before an iteration has been computed. Then what is there of iterations to come
    (again) goes; `restart`: the snapshots, too. A second signal interrupts at once.
    """

    def __init__(self, solver: Any, row: Variant, folder: Path, restart: bool = False):
        self.solver, self.folder, self.restart, self.stop = solver, folder, restart, False
        self.losses = [head.loss for head in row.data.heads]
        self.labels = [head.label for head in row.data.heads]
        self.normalized = row.recipe.normalize
        self.after_iteration: Callable[[], None] = lambda: None
        self.file: Any = None
        solver.add_callback(self.on_start, self.on_gradients)
        self.handlers = {number: signal.signal(number, self.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(self, number: int, frame: Any) -> None:
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True
        print("stopping after this iteration; a second signal interrupts at once", file=sys.stderr, flush=True)

    def on_start(self) -> None:
        if self.stop:
            raise Stopped

    def on_gradients(self) -> None:
        if self.file is None:
            self._open()
        blobs = self.solver.net.blobs
        losses = [float(blobs[name].data) for name in self.losses]
        pixels = 1 if self.normalized else sum(int(np.count_nonzero(blobs[name].data != 255)) for name in self.labels)
        csv.writer(self.file).writerow([self.solver.iter, *losses, sum(losses) / max(pixels, 1)])
        self.after_iteration()

    def _open(self) -> None:
        if self.restart:
            for old in self.folder.glob("train_iter_*"):
                old.unlink()
        path, header = self.folder / "loss.csv", ["iteration", *self.losses, "loss_per_pixel"]
        rows = [line.split(",") for line in path.read_text().splitlines()[1:]] if path.exists() else []
        kept = [row for row in rows if len(row) == len(header) and int(row[0]) < self.solver.iter]
        scores = [entry for entry in read_scores(self.folder) if entry["iteration"] <= self.solver.iter]
        write_scores(self.folder, scores)
        self.file = open(path, "w", newline="", buffering=1)  # noqa: SIM115  (closed by close)
        csv.writer(self.file).writerows([header, *kept])

    def close(self) -> None:
        """Nothing more is recorded; the solver, whose callbacks hold the recorder, is let go."""
        self.solver = None
        if self.file is not None:
            self.file.close()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


def read_scores(folder: Path) -> list[dict[str, Any]]:
    """Every scoring of a training, first to last: its iteration, and the metrics by the name of the labels."""
    path = folder / "scores.json"
    try:
        scores = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except ValueError as error:
        raise ValueError(_damaged(path, str(error))) from error
    if not isinstance(scores, list) or not all(isinstance(entry, dict) for entry in scores):
        raise ValueError(_damaged(path, "it is something else"))
    return scores


def _damaged(path: Path, found: str) -> str:
    return (
        f"'{path}' holds no list of scorings ({found}): it was cut off or edited. Remove it: only the scores so far "
        "are lost, which tools/score.py computes again."
    )


def write_scores(folder: Path, scores: list[dict[str, Any]]) -> None:
    with open_atomic(folder / "scores.json") as file:
        file.write((json.dumps(scores, indent=1) + "\n").encode())
