"""A race: contestants take turns at the same work, each turn in a new process, after their results were compared."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks.engines import Job
from benchmarks.environments import ENVIRONMENTS, WorkerFailed

Size = tuple[int, int]
CHECKED_SIZE = (97, 131)
"""Of the image of the training step that is compared."""

TOLERANCES = {
    ("forward", "fp32"): 1e-4,
    ("forward", "tf32"): 1e-2,
    ("forward", "bf16"): 5e-2,
    ("check", "fp32"): 2e-2,
    ("check", "tf32"): 2e-1,
    ("check", "bf16"): 5e-1,
}
"""Allowed differences from PyTorch's results in fp32: the largest difference, over the largest value, of any output.

Training is allowed more: where rounding decides which of two values a pooling takes, the gradients of the layers before
it jump, those of the first most (PyTorch's own two layouts differ by 5e-3 there).
"""


@dataclass(frozen=True)
class Entry:
    """Who takes part, and in which environment."""

    label: str
    engine: str
    environment: str = "here"
    options: tuple[str, ...] = ()

    def work(self, job: Job) -> dict[str, Any]:
        """One process. Raises WorkerFailed."""
        return ENVIRONMENTS[self.environment].work(self.engine, replace(job, options=(*self.options, *job.options)))


REFERENCE = Entry("PyTorch", "pytorch")


@dataclass(frozen=True)
class Pace:
    """How often: `turns` processes of each, which run `warmup` times and then `runs` times more, timed."""

    turns: int = 3
    runs: int = 3
    warmup: int = 2


def race(entries: Sequence[Entry], job: Job, size: Size, pace: Pace) -> dict[str, dict[str, Any]]:
    """Label → seconds of every run, their median, memory, and the difference to the reference; or why it failed."""
    results = {entry.label: check(entry, job, size) for entry in entries}
    for turn in range(pace.turns):
        for entry in entries:
            result = results[entry.label]
            if "failed" not in result:
                _say(f"{entry.label}, turn {turn + 1} of {pace.turns}")
                _add(result, entry, replace(job, sizes=[size] * (pace.warmup + pace.runs)), pace.warmup)
    for result in results.values():
        if "seconds" in result:
            result["median"] = median(result["seconds"])
    return results


def _add(result: dict[str, Any], entry: Entry, job: Job, warmup: int) -> None:
    try:
        turn = entry.work(job)
    except WorkerFailed as error:
        result["failed"] = str(error)
        return
    result["seconds"] = result.get("seconds", []) + turn["seconds"][warmup:]
    for what in ("peak_memory", "imports_memory", "device_memory"):
        result[what] = max(result.get(what, 0), turn[what])


def check(entry: Entry, job: Job, size: Size) -> dict[str, Any]:
    """One run, compared with the reference: its `difference`, or why it `failed`."""
    _say(f"{entry.label}, compared")
    if job.task == "train":
        job, size = replace(job, task="check"), CHECKED_SIZE
    job = replace(job, sizes=[size], save=True)
    try:
        found = entry.work(job)["outputs"]
        expected = _reference(job)
    except WorkerFailed as error:
        return {"failed": str(error)}
    worst = max(difference(found[name], expected[name]) for name in expected)
    allowed = TOLERANCES[job.task, job.precision]
    if not worst <= allowed:
        return {"failed": f"its results differ from PyTorch's by {worst:.2g} of the largest, allowed are {allowed:g}"}
    return {"difference": worst}


_references: dict[str, dict[str, np.ndarray]] = {}


def _reference(job: Job) -> dict[str, np.ndarray]:
    """What PyTorch computes in fp32; the last is kept, for the contestants of a race want the same."""
    job = replace(job, precision="fp32", options=())
    if str(job) not in _references:
        _references.clear()
        _references[str(job)] = REFERENCE.work(job)["outputs"]
    return _references[str(job)]


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, over the largest value expected; infinite for another shape or values not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
