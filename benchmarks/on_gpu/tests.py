"""The tests that need a GPU, ten to a process: a process that a failure takes down hides nine tests at most.

On the CPU, thirty of the tests that run on the pretended GPU.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.on_gpu import note

TOGETHER = 10
"""Tests to a process."""
LIMIT = 60
"""Seconds for a process."""
CHOSEN = {"cuda": "real_gpu or cuda_is_the_same", "cpu": "pretended_gpu"}
FILES = ["tests/gpu", "tests/test_layers.py"]


def pytest_command(device: str, *options: str) -> list[str]:
    plugins = ["-p", "no:cacheprovider", "-p", "benchmarks.on_gpu.slices"]
    return [sys.executable, "-m", "pytest", "-q", *plugins, "-k", CHOSEN[device], *options, *FILES]


def count(device: str) -> int:
    """How many tests there are. Raises RuntimeError if they cannot be collected."""
    done = subprocess.run(pytest_command(device, "--collect-only"), capture_output=True, text=True, check=False)
    found = re.search(r"^(\d+)(?:/\d+)? tests? collected", done.stdout, re.MULTILINE)
    if not found:
        raise RuntimeError(f"pytest collected no test:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return int(found[1])


def run_slice(device: str, folder: str, first: int) -> tuple[int, dict[str, str]]:
    """Ten tests: how many passed, and test → why it did not."""
    report = Path(folder) / "tests" / f"{first}.xml"
    command = pytest_command(device, f"--slice={first}:{TOGETHER}", f"--junitxml={report}", "--tb=short")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT, env=environment)
        words = done.stdout[-1500:] + done.stderr[-1500:]
    except subprocess.TimeoutExpired:
        words = f"ended after {LIMIT} s"
    if not report.exists():
        return 0, {f"tests {first} to {first + TOGETHER - 1}": words}
    passed, failed = 0, {}
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [part for part in case if part.tag in ("failure", "error", "skipped")]
        if bad:
            failed[f"{case.get('classname')}::{case.get('name')}"] = (bad[0].text or bad[0].get("message") or "")[
                -1500:
            ]
        else:
            passed += 1
    return passed, failed


def main(device: str, folder: str) -> int:
    (Path(folder) / "tests").mkdir(parents=True, exist_ok=True)
    total = count(device) if device == "cuda" else 30
    firsts = range(0, total, TOGETHER)
    passed, failed = 0, {}
    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) - 2)) as pool:
        for good, bad in pool.map(lambda first: run_slice(device, folder, first), firsts):
            passed, failed = passed + good, {**failed, **bad}
    note(folder, "tests", "failed", failed)
    note(folder, "tests", "counts", {"tests": total, "passed": passed, "failed": len(failed)})
    return int(bool(failed) or not passed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
