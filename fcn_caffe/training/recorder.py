"""Records a training beside its snapshots, prints its progress, and ends it after a signal."""

from __future__ import annotations

import csv
import math
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import numpy as np

from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.training.board import Board
from fcn_caffe.training.forecast import span
from fcn_caffe.training.score_history import read_scores, write_scores
from fcn_caffe.whole_files import open_atomic

LATER_COLUMNS = ("rate", "seconds")
"""Of loss.csv, which files of older versions have not."""


class Stopped(Exception):
    """A signal asked for the end of the training."""


class Recorder:
    """Writes loss, rate and seconds of every iteration to loss.csv, prints a line each display interval, and stops the
    training before the iteration after a signal.

    begun: called at the first iteration. Nothing in the folder is touched before it has been computed. Then what is
    there of iterations to come (again) goes; `restart`: the snapshots, too. A second signal interrupts at once.
    """

    def __init__(
        self,
        solver: Any,
        row: Variant,
        folder: Path,
        iterations: int,
        restart: bool = False,
        allow_nan: bool = False,
        begun: Callable[[], None] = lambda: None,
    ):
        self.solver, self.row, self.folder, self.iterations = solver, row, folder, iterations
        self.restart, self.allow_nan, self.begun, self.stop = restart, allow_nan, begun, False
        self.losses = [head.loss for head in row.data.heads]
        self.labels = [head.label for head in row.data.heads]
        self.normalized = row.recipe.normalize
        self.display = _setting(solver, "display", row.solver().display)
        self.snapshot = _setting(solver, "snapshot", row.recipe.snapshot)
        self.after_iteration: Callable[..., None] = lambda text="": None
        self.after_snapshot: Callable[[], None] = lambda: None
        self.board: Optional[Board] = None
        self.file: Any = None
        self.shown: list[list[float]] = []
        """Of the iterations since the last line: for each head, the loss per pixel."""
        self.since = self.before = time.monotonic()
        solver.add_callback(self.on_start, self.on_gradients)
        self.handlers = {number: signal.signal(number, self.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(self, number: int, frame: Any) -> None:
        """Stop after the present iteration; a second signal raises KeyboardInterrupt."""
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True
        print("stopping after this iteration; a second signal interrupts at once", file=sys.stderr, flush=True)

    def on_start(self) -> None:
        """Before each iteration: act on a new snapshot, and raise Stopped after a signal."""
        if self.snapshot and self.solver.iter % self.snapshot == 0:
            self.after_snapshot()
        if self.stop:
            raise Stopped

    def on_gradients(self) -> None:
        """After each backward pass: record the loss."""
        if self.file is None:
            self._open()
        blobs = self.solver.net.blobs
        losses = [float(blobs[name].data.sum()) for name in self.losses]
        pixels = [1 if self.normalized else int(np.count_nonzero(blobs[name].data != 255)) for name in self.labels]
        total = 1 if self.normalized else sum(pixels)
        loss, rate = sum(losses) / max(total, 1), getattr(self.solver, "lr", None)  # BVLC Caffe does not tell
        row = [self.solver.iter, *losses, loss, "" if rate is None else rate, f"{self._seconds():.3f}"]
        csv.writer(self.file).writerow(row)
        if self.board:
            self.board.iteration(self.solver.iter, loss, rate)
        if not self.allow_nan and not np.isfinite(losses).all():  # BVLC Caffe itself would go on
            raise RuntimeError(
                f"{self.row.name}: iteration {self.solver.iter}: the loss is {sum(losses):g}. Go on from the last "
                "snapshot, or start again, with a smaller base_lr. To go on all the same: --allow-nan."
            )
        self.shown.append([loss / max(count, 1) for loss, count in zip(losses, pixels)])
        self.after_iteration(f"loss {np.mean(self.shown[-1]):.4f}")
        if self.display and self.solver.iter % self.display == 0:
            print(self._line(), flush=True)

    def _line(self) -> str:
        """The loss per pixel, the mean since the last line, beside that of a net that says the same of every class."""
        heads = zip(self.row.data.heads, np.mean(self.shown, axis=0))
        losses = ", ".join(
            f"{head.label + ' ' if len(self.labels) > 1 else ''}{loss:.4f}"
            + (f" (ln {head.classes} = {math.log(head.classes):.4f})" if head.classes > 1 else "")
            for head, loss in heads
        )
        rate = len(self.shown) / max(time.monotonic() - self.since, 1e-9)
        left = self.iterations - self.solver.iter - 1
        self.new_interval()
        return (
            f"{self.row.name}: iteration {self.solver.iter} of {self.iterations}, loss per pixel {losses}, rate "
            f"{getattr(self.solver, 'lr', self.row.recipe.base_lr):g}, {rate:.3g} it/s, {span(left / rate)} left"
        )

    def new_interval(self) -> None:
        """Begin another mean and another measurement of time."""
        self.shown, self.since = [], time.monotonic()
        self.before = self.since

    def _seconds(self) -> float:
        """Since the iteration before, or the scoring after it."""
        before, self.before = self.before, time.monotonic()
        return self.before - before

    def is_finite(self) -> bool:
        """Whether the last losses are finite."""
        return all(np.isfinite(self.solver.net.blobs[name].data).all() for name in self.losses)

    def _open(self) -> None:
        if self.restart:
            for old in self.folder.glob("train_iter_*"):
                old.unlink()
        self.begun()
        path, header = self.folder / "loss.csv", ["iteration", *self.losses, "loss_per_pixel", *LATER_COLUMNS]
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[1:] if path.exists() else []
        rows = [row + [""] * (len(LATER_COLUMNS) * (len(row) < len(header))) for row in (x.split(",") for x in lines)]
        kept = [row for row in rows if len(row) == len(header) and row[0].isdigit() and int(row[0]) < self.solver.iter]
        scores = [entry for entry in read_scores(self.folder) if entry["iteration"] <= self.solver.iter]
        write_scores(self.folder, scores)
        with open_atomic(path) as file:
            file.write("".join(",".join(row) + "\r\n" for row in [header, *kept]).encode())
        self.file = open(path, "a", newline="", buffering=1, encoding="utf-8")  # noqa: SIM115  (closed by close)

    def close(self) -> None:
        """Nothing more is recorded; the solver, whose callbacks hold the recorder, is let go."""
        self.solver = None
        if self.file is not None:
            self.file.close()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


def _setting(solver: Any, name: str, otherwise: int) -> int:
    """A solver's setting; BVLC Caffe does not show all of them."""
    return int(getattr(getattr(solver, "param", None), name, otherwise))
