"""Trainings that are killed again and again, and resumed: nothing that was saved may be lost, and the end is the same.

Half of the kills come at a random moment of the training, half inside the writing of a snapshot, as soon as its
temporary file shows or up to some milliseconds later. SIGKILL: the process cannot tidy up.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from tests.faults.trainings import TRAININGS, Training, environment, is_temporary

WRITING = 0.02
"""Seconds within which a snapshot is written."""
MOST_SECONDS = 600
_LOG_SHOWN = 800


@dataclass
class Unbroken:
    """A training that nobody killed: its folder, and how long it took in all and from one snapshot to the next."""

    folder: Path
    seconds: float
    interval: float


@dataclass
class Run:
    """A training that is killed, and what was lost."""

    training: Training
    unbroken: Unbroken
    folder: Path
    draw: random.Random
    inside: int = 0
    """How many kills left a half-written file."""
    lost: list[str] = field(default_factory=list)

    def newest(self) -> int:
        return max(self.training.states(self.folder), default=0)

    def start(self) -> subprocess.Popen[bytes]:
        return start(self.training, self.folder)

    def kill(self) -> bool:
        """Go on with the training and kill it; False if it was done before its time had come."""
        before = self.newest()
        process = self.start()
        killed = self._wait_for_a_moment(process)
        process.kill()
        process.wait()
        left = [path for path in self.folder.rglob("*") if is_temporary(path)]
        self.inside += killed and bool(left)
        if not killed and process.returncode:
            self._lose(f"the resumed training ended with status {process.returncode}: {log(self.folder)}")
        if self.newest() < before:
            self._lose(f"the snapshot of iteration {before} is gone or incomplete")
        self.compare()
        return killed

    def _wait_for_a_moment(self, process: subprocess.Popen[bytes]) -> bool:
        """Until the moment of the kill; False if the process ended before."""
        inside, snapshots = self.draw.random() < 0.5, self.draw.randrange(1, 5)
        delay = self.draw.random() * (WRITING if inside else self.unbroken.interval)
        if not inside and self.draw.random() < 0.2:
            return _sleep(process, self.draw.random() * self.unbroken.seconds)  # whatever it is at
        folder = (self.folder / self.training.prefix).parent
        seen: set[str] = set(_names(folder))
        until = time.monotonic() + MOST_SECONDS
        while process.poll() is None and time.monotonic() < until:
            names = _names(folder)
            new = {
                name for name in names if is_temporary(Path(name)) == inside and name not in seen and "_iter_" in name
            }
            seen |= new
            snapshots -= len(new)
            if snapshots <= 0:
                return _sleep(process, delay)
            time.sleep(0.0005)
        return False

    def compare(self) -> None:
        """Every file of a snapshot, however its training ended, holds what that of the unbroken one holds."""
        for path in self.training.files(self.folder):
            other = self.unbroken.folder / path.relative_to(self.folder)
            if other.exists() and not same(path, other):
                self._lose(f"{path.name} is not what the unbroken training saved")

    def finish(self) -> None:
        """Train to the end; the end is the same, and nothing half-written is left."""
        process = self.start()
        if process.wait(MOST_SECONDS):
            self._lose(f"the resumed training ended with status {process.returncode}: {log(self.folder)}")
        self.compare()
        for path in self.training.files(self.unbroken.folder):
            if not (self.folder / path.relative_to(self.unbroken.folder)).exists():
                self._lose(f"{path.name} is missing at the end")
        for name in self.training.exact:
            ours, wanted = (folder / name for folder in (self.folder, self.unbroken.folder))
            if not ours.exists() or _told(ours) != _told(wanted):
                self._lose(f"{name} differs at the end")
        for path in self.folder.rglob("*"):
            if is_temporary(path):
                self._lose(f"{path.name}, of a killed process, is still there at the end")

    def _lose(self, what: str) -> None:
        self.lost.append(f"lost: {self.training.name}: {what}")


def run(kills: int, seed: int, kept: Path) -> list[str]:
    """Kill that many trainings, in turn of each kind; what was lost. Folders of runs with losses go to `kept`."""
    lost: list[str] = []
    for number, training in enumerate(TRAININGS):
        count = (kills + len(TRAININGS) - 1 - number) // len(TRAININGS)
        draw = random.Random(f"{seed} {training.name}")
        if count:
            with tempfile.TemporaryDirectory(prefix="kills-") as name:
                found = kill(training, count, draw, Path(name))
                if found:
                    shutil.copytree(name, kept / f"kills-{number}", dirs_exist_ok=True, symlinks=True)
                lost += found
    return lost


def kill(training: Training, count: int, draw: random.Random, work: Path) -> list[str]:
    """Kill a training `count` times, in as many runs as it takes; what was lost."""
    unbroken = run_unbroken(training, work / "unbroken")
    lost, done, inside, runs = list[str](), 0, 0, 0
    while done < count:
        runs += 1
        broken = Run(training, unbroken, work / str(runs), draw)
        broken.folder.mkdir()
        training.prepare(broken.folder)
        while done < count and broken.kill():
            done += 1
        broken.finish()
        inside += broken.inside
        lost += broken.lost
    print(f"{training.name}: {count} kills in {runs} runs, {inside} inside a write; {len(lost)} losses", flush=True)
    return lost


def run_unbroken(training: Training, folder: Path) -> Unbroken:
    """Prepare and train to the end. Raises RuntimeError where that fails."""
    folder.mkdir()
    training.prepare(folder)
    began = time.time()
    if start(training, folder).wait(MOST_SECONDS):
        raise RuntimeError(f"{training.name} fails even where nobody kills it: {log(folder)}")
    times = sorted(path.stat().st_mtime for path in training.states(folder).values())
    return Unbroken(folder, time.time() - began, (times[-1] - times[0]) / max(len(times) - 1, 1))


def start(training: Training, folder: Path) -> subprocess.Popen[bytes]:
    """Train from the newest state, or from the beginning."""
    states = training.states(folder)
    newest = states[max(states)].relative_to(folder) if states else None
    with open(folder / "log.txt", "ab") as file:
        return subprocess.Popen(
            training.command(newest), cwd=folder, env=environment(), stdout=file, stderr=file, start_new_session=True
        )


def log(folder: Path) -> str:
    """What a training said last."""
    return (folder / "log.txt").read_text(errors="replace")[-_LOG_SHOWN:]


def _told(path: Path) -> list[bytes]:
    """The lines of a file; of losses, without the last column, the seconds, which are the machine's."""
    lines = path.read_bytes().splitlines(keepends=True)
    return [line.rpartition(b",")[0] for line in lines] if path.name == "loss.csv" else lines


def same(path: Path, other: Path) -> bool:
    """Whether two files are the same, or, as HDF5, hold the same."""
    if path.read_bytes() == other.read_bytes():
        return True
    if path.suffix != ".h5":
        return False
    try:
        with h5py.File(path) as one, h5py.File(other) as two:
            return _values(one) == _values(two)
    except OSError:
        return False


def _values(file: h5py.File) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    file.visititems(
        lambda name, node: found.update({name: np.asarray(node[()]).tobytes()} if hasattr(node, "dtype") else {})
    )
    return found


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _sleep(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process still runs after so long."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return process.returncode == -signal.SIGKILL
