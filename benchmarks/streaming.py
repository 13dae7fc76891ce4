"""A net on one large image in bands of rows, in a process of its own: seconds and memory, beside the image as a whole.

    python -m benchmarks.streaming 2000                     net.stream on 2000×2000 pixels
    python -m benchmarks.streaming 2000 --whole             net.forward, keeping no blobs
    python -m benchmarks.streaming 20000 --mapped           the image is a file that is mapped into memory
    python -m benchmarks.streaming 500 --width 2000         memory goes with the width

Weights are drawn. Prints JSON: seconds of the run, and the most that RssAnon (memory that no file stands behind; Linux)
came to, weights and image included.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

NET = "nets/voc-fcn8s/deploy.prototxt"
EVERY = 0.02
"""Seconds between two looks at the memory."""


class Peak:
    """The most of RssAnon, in bytes, since it was made."""

    def __init__(self) -> None:
        self.bytes = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    self.bytes = max(self.bytes, 1024 * int(line.split()[1]))
            time.sleep(EVERY)


def draw(net: Any) -> None:
    """Weights for a net: bilinear ones stay as their fillers made them."""
    rng = np.random.default_rng(0)
    for name, (weights, *_) in net.params.items():
        if net.layer_dict[name].type == "Convolution":
            values, scale = weights.data, np.sqrt(2 * weights.shape[0] / weights.count)
            for row in values:
                row[...] = rng.standard_normal(row.shape, dtype=np.float32) * scale


def image(height: int, width: int, *, mapped: bool) -> np.ndarray:
    """An image of noise, uint8."""
    shape = (3, height, width)
    if mapped:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            values: np.ndarray = np.memmap(file.name, np.uint8, "w+", shape=shape)
        Path(file.name).unlink()
    else:
        values = np.empty(shape, np.uint8)
    rng = np.random.default_rng(1)
    for row in range(height):
        values[:, row] = rng.integers(0, 256, (3, width), dtype=np.uint8)
    return values


def labels_by_stream(net: Any, values: np.ndarray) -> int:
    return sum(scores.argmax(0).size for _, scores in net.stream(values))


def labels_of_the_whole(net: Any, values: np.ndarray) -> int:
    net.keep_blobs = False
    data = net.blobs[net.inputs[0]]
    data.reshape(1, *values.shape)
    data.data[...] = values
    (scores,) = net.forward().values()
    return scores[0].argmax(0).size


def main(arguments: list[str]) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=int, help="the height of the image, and its width")
    parser.add_argument("--width", type=int, help="another width")
    parser.add_argument("--whole", action="store_true", help="net.forward")
    parser.add_argument("--mapped", action="store_true", help="the image is a mapped file")
    parser.add_argument("--net", default=NET, help=f"a deploy prototxt (default: {NET})")
    options = parser.parse_args(arguments)
    import caffe

    caffe.tune_process()
    caffe.init_log(1)
    net = caffe.Net(options.net, caffe.TEST)
    draw(net)
    width = options.width or options.side
    values, peak = image(options.side, width, mapped=options.mapped), Peak()
    begin = time.perf_counter()
    pixels = (labels_of_the_whole if options.whole else labels_by_stream)(net, values)
    seconds = time.perf_counter() - begin
    assert pixels == options.side * width
    return {"height": options.side, "width": width, "seconds": round(seconds, 2), "peak": peak.bytes}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
