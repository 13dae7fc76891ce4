"""voc-fcn8s forward on large images, whole: seconds and memory."""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.on_gpu import note
from benchmarks.on_gpu.speed import job_of, seconds_of
from benchmarks.rows import EAGER_LAST, THIS

SIDES = {"cuda": (2000, 4000, 6000), "cpu": (80,)}
RUNS = 4


def main(device: str, folder: str) -> int:
    good = True
    for side in SIDES[device]:
        for precision in ("bf16", "fp32"):
            for entry in (THIS, EAGER_LAST):
                job = replace(job_of(device, folder, "forward", precision), sizes=[(side, side)] * RUNS)
                try:
                    found = seconds_of(entry, job)
                    result = {"seconds": min(found["seconds"]), "device_memory": found["device_memory"]}
                except Exception as error:  # noqa: BLE001 - out of memory, say; the others go on
                    result = {"failed": f"{type(error).__name__}: {str(error)[:300]}"}
                    good = good and entry is not THIS
                note(folder, "large", f"{side}×{side}, {precision}: {entry.label}", result)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
