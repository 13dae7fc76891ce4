"""The tests that need a GPU, ten to a process. On the CPU, those that run a case of Softmax on the pretended GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from benchmarks.on_gpu import note

CHOSEN = {"cuda": "real_gpu or cuda_is_the_same", "cpu": "pretended_gpu and Softmax"}


def main(device: str, folder: str) -> int:
    results = Path(folder) / "tests.jsonl"
    plugins = ["-p", "no:cacheprovider", "-p", "benchmarks.on_gpu.forked"]
    wanted = ["-k", CHOSEN[device], "--tb=short", "tests/gpu", "tests/test_layers.py"]
    at_once = max(1, len(os.sched_getaffinity(0)) - 2)
    # NVML: to ask whether there is a GPU must not start CUDA, which cannot be forked
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    status = subprocess.call(
        [sys.executable, "-m", "pytest", "-q", *plugins, *wanted, f"--results={results}", f"--at-once={at_once}"],
        env=environment,
    )
    found = [json.loads(line) for line in results.read_text().splitlines()]
    note(folder, "tests", "outcomes", dict(Counter(outcome for _, outcome, _ in found)))
    note(folder, "tests", "not passed", {test: words for test, outcome, words in found if outcome != "passed"})
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
