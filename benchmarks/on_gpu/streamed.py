"""voc-fcn8s on large images in bands of rows (net.stream), labels out: seconds and the GPU's peak memory.

A small image is compared with the whole forward first.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

import caffe
from benchmarks.on_gpu import note
from benchmarks.on_gpu.speed import THREADS

SIDES = {"cuda": (2000, 6000), "cpu": (80, 120)}
COMPARED = (150, 133)
TOLERANCES = {"fp32": 1e-5, "bf16": 0.05}
"""Of the largest score."""


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8)


def difference(net: caffe.Net) -> float:
    """Between the scores in bands and those of the whole, as a share of the largest."""
    values = image(*COMPARED)
    net.blobs["data"].reshape(1, *values.shape)
    whole = net.forward(data=values[np.newaxis])["score"][0].copy()
    bands = np.concatenate([band for _, band in net.stream(values)], axis=1)
    return float(np.abs(bands - whole).max() / np.abs(whole).max())


def seconds_of(net: caffe.Net, side: int) -> float:
    values, begin = image(side, side), time.perf_counter()
    pixels = sum(scores.argmax(0).size for _, scores in net.stream(values))
    assert pixels == side * side
    return time.perf_counter() - begin


def main(device: str, folder: str) -> int:
    work, good = Path(folder, "work"), True
    torch.set_num_threads(THREADS)
    if device == "cuda":
        caffe.set_mode_gpu()
    net = caffe.Net(str(work / "deploy.prototxt"), caffe.TEST, weights=str(work / "weights.caffemodel"))
    for precision, allowed in TOLERANCES.items():
        caffe.set_precision(precision)
        off = difference(net)
        good = good and off <= allowed
        note(folder, "streamed", f"difference from the whole, {precision}", {"found": off, "allowed": allowed})
        for side in SIDES[device]:
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            try:
                result: dict[str, float | str] = {"seconds": seconds_of(net, side)}
                if device == "cuda":
                    result["device_memory"] = float(torch.cuda.max_memory_allocated())
            except Exception as error:  # noqa: BLE001 - out of memory, say; the others go on
                result, good = {"failed": f"{type(error).__name__}: {str(error)[:300]}"}, False
            note(folder, "streamed", f"{side}×{side}, {precision}", result)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
