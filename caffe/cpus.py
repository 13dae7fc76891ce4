"""The number of processors that this process may use, by its affinity and by the quota of its control group, such as a
container's.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available(limit: float | None) -> int:
    """The processors that the calling thread may run on, no more than the quota comes to, rounded up; at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return allowed if limit is None else max(1, min(allowed, math.ceil(limit)))


def quota(root: Path = Path("/")) -> float | None:
    """Seconds of processor a second that the control groups of this process grant, versions 1 and 2; None: no limit.

    root: where /proc and /sys are.
    """
    groups = root / "sys/fs/cgroup"
    found: list[float] = []
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not controllers:
            for top in (groups, groups / "unified"):
                found += (limit for folder in _upwards(top, path) if (limit := _version_2(folder)) is not None)
        elif "cpu" in controllers.split(","):
            for top in (groups / controllers, groups / "cpu", groups / "cpu,cpuacct"):
                found += (limit for folder in _upwards(top, path) if (limit := _version_1(folder)) is not None)
    return min(found, default=None)


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """The folder of a control group, and those above it up to `top`, which in a container is often its own."""
    names = [name for name in path.split("/") if name not in ("", "..")]
    for count in range(len(names), -1, -1):
        yield top.joinpath(*names[:count])


def _version_2(folder: Path) -> float | None:
    """cpu.max: "QUOTA PERIOD", in microseconds, or "max PERIOD"."""
    return _ratio(" ".join(_lines(folder / "cpu.max")).split())


def _version_1(folder: Path) -> float | None:
    """cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us."""
    return _ratio([*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")])


def _ratio(words: list[str]) -> float | None:
    if len(words) != 2 or not all(word.strip().isdigit() for word in words):
        return None
    granted, period = map(int, words)
    return granted / period if granted and period else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
