"""Images of many sizes, as in a data set: does a new size slow a net down?"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.engines import Job
from benchmarks.environments import WorkerFailed
from benchmarks.race import Entry, Size

SIZES = Path(__file__).with_name("voc_sizes.txt")
ALONE = ", every size alone"


def voc_sizes() -> list[Size]:
    """Height and width of 50 images of PASCAL VOC."""
    rows = [line.split() for line in SIZES.read_text().splitlines() if not line.startswith("#")]
    return [(int(height), int(width)) for height, width in rows]


def varied(entries: Sequence[Entry], job: Job, sizes: Sequence[Size]) -> dict[str, dict[str, Any]]:
    """Seconds a run over images of these sizes, one after another; and if each came again and again.

    A process runs twice at 500×500, then over all sizes, then twice at each: of these the second counts.
    """
    distinct = sorted(set(sizes))
    order = [(500, 500)] * 2 + list(sizes) + [size for size in distinct for _ in range(2)]
    results: dict[str, dict[str, Any]] = {}
    for entry in entries:
        try:
            seconds = entry.work(replace(job, sizes=order))["seconds"][2:]
        except WorkerFailed as error:
            results[entry.label] = {"failed": str(error)}
            continue
        alone = dict(zip(distinct, seconds[len(sizes) + 1 :: 2], strict=True))
        results[entry.label] = {"seconds": seconds[: len(sizes)], "median": mean(seconds[: len(sizes)])}
        results[entry.label + ALONE] = {"median": mean(alone[size] for size in sizes)}
    return results
