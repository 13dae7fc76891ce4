"""Images of 50 VOC sizes one after another, three times over: seconds an image in each pass over them."""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.on_gpu import note
from benchmarks.on_gpu.speed import job_of, seconds_of
from benchmarks.rows import EAGER_LAST, RECORDED, THIS
from benchmarks.varied import voc_sizes

PASSES = 3


def main(device: str, folder: str) -> int:
    sizes = voc_sizes() if device == "cuda" else [(40, 50), (50, 40)]
    for task in ("forward", "train"):
        for entry in (THIS, RECORDED, EAGER_LAST):
            found = seconds_of(entry, replace(job_of(device, folder, task, "bf16"), sizes=sizes * PASSES))
            seconds = found["seconds"]
            means = [sum(seconds[i * len(sizes) : (i + 1) * len(sizes)]) / len(sizes) for i in range(PASSES)]
            result = {"mean seconds of each pass": means, "device_memory": found["device_memory"]}
            note(folder, "sizes", f"{task}: {entry.label}", result)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
