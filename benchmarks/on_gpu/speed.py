"""voc-fcn8s forward and training step in fp32, tf32 and bf16: this project beside PyTorch, launched and as CUDA graphs.

One process times one engine after another, each result compared with PyTorch's in fp32 before it counts. "compiled"
comes in a call of its own, for compiling takes long.
"""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace
from statistics import median
from typing import Any

import torch

import caffe
from benchmarks.engines import Job, pycaffe, pytorch
from benchmarks.on_gpu import note
from benchmarks.race import CHECKED_SIZE, TOLERANCES, Entry, difference
from benchmarks.rows import COMPILED, EAGER, EAGER_LAST, GRAPHS, RECORDED, THIS
from caffe import switches

ENGINES = {"pycaffe": pycaffe, "pytorch": pytorch}
WHO = {"this": [THIS, RECORDED], "eager": [EAGER, EAGER_LAST], "compiled": [COMPILED, GRAPHS]}
RUNS = {"cuda": (8, 20), "cpu": (1, 2)}
"""To warm up, and timed."""
THREADS = 4
SIZE = {"cuda": (500, 500), "cpu": (64, 64)}
PRECISIONS = ("bf16", "tf32", "fp32")


def job_of(device: str, folder: str, task: str, precision: str = "fp32") -> Job:
    """A job that leaves inputs and scores on the GPU, if there is one."""
    options = ("on_device",) if device == "cuda" else ()
    return Job(f"{folder}/work", [], task, precision, 1, THREADS, device, options)


def seconds_of(entry: Entry, job: Job) -> dict[str, Any]:
    """One contestant: seconds of each run, the GPU's peak memory, its outputs after the last run if they are saved."""
    switches.GRAPHS = False
    caffe.set_precision("fp32")
    torch.set_num_threads(job.threads)
    _free()
    contestant = ENGINES[entry.engine].start(replace(job, options=(*entry.options, *job.options)))
    seconds = []
    for size in job.sizes:
        contestant.show(size)
        begin = time.perf_counter()
        contestant.run()
        seconds.append(time.perf_counter() - begin)
    outputs = contestant.outputs() if job.save else {}
    return {"seconds": seconds, "device_memory": contestant.device_memory(), "outputs": outputs}


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def measure(entry: Entry, job: Job, expected: dict[str, Any]) -> dict[str, Any]:
    """A contestant's times, and how far its results are from PyTorch's in fp32; or why it failed.

    A training step is compared on a small image in a call of its own, but for compiled ones, which would compile twice.
    """
    warm_up, runs = RUNS[job.device]
    try:
        result = seconds_of(entry, replace(job, sizes=[SIZE[job.device]] * (warm_up + runs), save=True))
        outputs, task = result.pop("outputs"), job.task
        if job.task == "train" and "compile" not in entry.options:
            task, outputs = "check", seconds_of(entry, checked(job))["outputs"]
        result["seconds"] = result["seconds"][warm_up:]
        result["median"] = median(result["seconds"])
        if (task, job.precision) in TOLERANCES:
            result["difference"] = max(difference(outputs[name], expected[name]) for name in expected)
            if not result["difference"] <= TOLERANCES[task, job.precision]:
                return {"failed": f"its results differ from PyTorch's by {result['difference']:.2g} of the largest"}
    except Exception as error:  # noqa: BLE001 - a contestant that fails is reported, the others go on
        return {"failed": f"{type(error).__name__}: {str(error)[-300:]}"}
    return result


def checked(job: Job) -> Job:
    """The job whose outputs are compared."""
    if job.task == "train":
        return replace(job, task="check", sizes=[CHECKED_SIZE], save=True)
    return replace(job, sizes=[SIZE[job.device]], save=True)


def main(device: str, folder: str, *who: str) -> int:
    stage, good = ("compiled" if "compiled" in who else "speed"), True
    for task in ("forward", "train"):
        expected = seconds_of(EAGER, checked(job_of(device, folder, task)))["outputs"]
        for precision in PRECISIONS:
            for entry in (entry for group in who for entry in WHO[group]):
                result = measure(entry, job_of(device, folder, task, precision), expected)
                note(folder, stage, f"{task}-{precision}: {entry.label}", result)
                good = good and "failed" not in result
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
