"""One contestant in one process.

    python -m benchmarks.worker ENGINE JOB.json RESULT.json

The result: `seconds` of each run; `peak_memory` of the process, in bytes, and what of it was there once the engine was
imported; with `save` in the job, RESULT.npz with the outputs of the last run. Runs under Python 3.9 too.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time

import numpy as np

from benchmarks.engines import Job


def peak_memory() -> int:
    """The most memory this process has had resident, in bytes."""
    if not os.path.exists("/proc/self/status"):  # in a chroot; it counts what the parent had, too
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def main(engine_name: str, job_file: str, result_file: str) -> None:
    with open(job_file) as file:
        settings = json.load(file)
    job = Job(**{**settings, "sizes": [tuple(size) for size in settings["sizes"]]})
    engine = importlib.import_module(f"benchmarks.engines.{engine_name}")
    imports = peak_memory()
    contestant = engine.start(job)
    seconds = []
    for size in job.sizes:
        contestant.show(size)
        start = time.perf_counter()
        contestant.run()
        seconds.append(time.perf_counter() - start)
    peak = peak_memory()
    if job.save:
        np.savez(result_file.replace(".json", ".npz"), **contestant.outputs())
    result = {
        "seconds": seconds,
        "peak_memory": peak,
        "imports_memory": imports,
        "device_memory": contestant.device_memory(),
    }
    with open(result_file, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
