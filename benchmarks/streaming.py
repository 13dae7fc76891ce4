"""A net on one large image in bands of rows, in a process of its own: seconds and memory, beside the image as a whole.

    python -m benchmarks.streaming 2000                     net.stream on 2000×2000 pixels
    python -m benchmarks.streaming 2000 --whole             net.forward, keeping no blobs
    python -m benchmarks.streaming 20000 --mapped           the image is a file that is mapped into memory
    python -m benchmarks.streaming 500 --width 2000         memory goes with the width
    python -m benchmarks.streaming 2000 --tiles             tiles that overlap, as programs without bands do it

Weights are drawn. Prints JSON: seconds of the run, the processors' seconds in it, and the most that RssAnon (memory
that no file stands behind; Linux) came to, weights and image included; of tiles, also the share of the pixels whose
label is another one than that of the whole image, and how many pixels are computed for one that is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe import surgery

NET = "nets/voc-fcn8s/deploy.prototxt"
SQUARE = 24
"""Pixels along the sides of what has one colour."""
SETTLED = 96
TILE, OVERLAP = 500, 50
"""Pixels along the sides of a tile, and of what is thrown away at each edge that is not the image's."""
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
    """Weights for a net; upsampling is bilinear."""
    rng = np.random.default_rng(0)
    for name, (weights, *_) in net.params.items():
        if net.layer_dict[name].type == "Convolution":
            values, scale = weights.data, np.sqrt(2 * weights.shape[0] / weights.count)
            for row in values:
                row[...] = rng.standard_normal(row.shape, dtype=np.float32) * scale
    surgery.interp(net, [name for name in net.params if "up" in name])


def settle(net: Any) -> None:
    """Let no class of a net of drawn weights win everywhere: the classes' mean scores go off the biases."""
    values = image(SETTLED, SETTLED, mapped=False)
    data = net.blobs[net.inputs[0]]
    data.reshape(1, *values.shape)
    data.data[...] = values
    (scores,) = net.forward().values()
    name = next(name for name in net.params if name.startswith("score_fr"))
    net.params[name][1].data[...] -= scores[0].mean((1, 2))


def image(height: int, width: int, *, mapped: bool) -> np.ndarray:
    """An image of squares of drawn colours, and noise, uint8."""
    shape = (3, height, width)
    if mapped:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            values: np.ndarray = np.memmap(file.name, np.uint8, "w+", shape=shape)
        Path(file.name).unlink()
    else:
        values = np.empty(shape, np.uint8)
    rng = np.random.default_rng(1)
    squares = rng.integers(0, 193, (3, -(-height // SQUARE), -(-width // SQUARE)), dtype=np.uint8)
    for row in range(height):
        values[:, row] = rng.integers(0, 64, (3, width), dtype=np.uint8)
        values[:, row] += squares[:, row // SQUARE].repeat(SQUARE, axis=1)[:, :width]
    return values


Bands = Iterator[tuple[int, int, np.ndarray]]
"""First row, first column, labels (rows × columns)."""


def labels_by_stream(net: Any, values: np.ndarray) -> Bands:
    for row, scores in net.stream(values):
        yield row, 0, scores.argmax(0).astype(np.uint8)


def labels_of_the_whole(net: Any, values: np.ndarray) -> Bands:
    net.keep_blobs = False
    yield 0, 0, forward(net, values)


def labels_by_tiles(net: Any, values: np.ndarray) -> Bands:
    """Each tile is computed alone, and its middle kept."""
    _, height, width = values.shape
    net.keep_blobs = False
    for row, above, last, below in tiles(height):
        for column, left, end, right in tiles(width):
            found = forward(net, values[:, row - above : last + below, column - left : end + right])
            yield row, column, found[above : above + last - row, left : left + end - column]


def tiles(size: int) -> Iterator[tuple[int, int, int, int]]:
    """Along one side, of each tile: the first pixel that is kept, how many before it are computed, the last (not
    included), and how many after it are computed."""
    step = TILE - 2 * OVERLAP
    for first in range(0, size, step):
        last = min(first + step, size)
        yield first, min(OVERLAP, first), last, min(OVERLAP, size - last)


def forward(net: Any, values: np.ndarray) -> np.ndarray:
    """The labels of an image, height × width."""
    data = net.blobs[net.inputs[0]]
    data.reshape(1, *values.shape)
    data.data[...] = values
    (scores,) = net.forward().values()
    return scores[0].argmax(0).astype(np.uint8)


def run(net: Any, values: np.ndarray, how: Callable[[Any, np.ndarray], Bands]) -> np.ndarray:
    """The labels of an image, height × width."""
    labels = np.empty(values.shape[1:], np.uint8)
    for row, column, found in how(net, values):
        labels[row : row + found.shape[0], column : column + found.shape[1]] = found
    return labels


def main(arguments: list[str]) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=int, help="the height of the image, and its width")
    parser.add_argument("--width", type=int, help="another width")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--whole", action="store_true", help="net.forward")
    way.add_argument("--tiles", action="store_true", help="net.forward of tiles")
    parser.add_argument("--mapped", action="store_true", help="the image is a mapped file")
    parser.add_argument("--net", default=NET, help=f"a deploy prototxt (default: {NET})")
    options = parser.parse_args(arguments)
    import caffe

    caffe.tune_process()
    caffe.init_log(1)
    net = caffe.Net(options.net, caffe.TEST)
    draw(net)
    settle(net)
    width = options.width or options.side
    values, peak = image(options.side, width, mapped=options.mapped), Peak()
    how = labels_of_the_whole if options.whole else labels_by_tiles if options.tiles else labels_by_stream
    begin, busy = time.perf_counter(), time.process_time()
    labels = run(net, values, how)
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    found = {"height": options.side, "width": width, "seconds": round(seconds, 2), "cpu_seconds": round(busy, 2)}
    found["peak"] = peak.bytes
    if options.tiles:
        found["other_labels"] = float(np.mean(labels != run(net, values, labels_by_stream)))
        computed = [
            sum(above + last - first + below for first, above, last, below in tiles(n)) for n in values.shape[1:]
        ]
        found["computed_per_pixel"] = round(computed[0] * computed[1] / labels.size, 2)
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
