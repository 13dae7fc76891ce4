"""Processor times of the slides' nets for an image of 500×500 pixels, and of FCN-8s.

    python -m analyses times                          the nets of docs/leaderboard.md
    python -m analyses times voc-fcn8s voc-largefov --size 375 500

Processor seconds of a forward pass, the fastest of several, on a drawn tide pool, with random weights, which do not
influence the time. With one thread (OMP_NUM_THREADS=1) they are seconds of one core, and depend little on other
programs. Nets of a fixed size get an image of that size. Published times are for GPUs of their day.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import caffe
from fcn_caffe import names, program
from fcn_caffe.data_layers.segdata.layer import planes
from fcn_caffe.demo.tidepool.scene import scene
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.large.bands import has_one_size
from fcn_caffe.net_spec.catalogue import ROWS, VARIANTS
from fcn_caffe.net_spec.input_data import DEPLOY, MEAN
from fcn_caffe.variants.build import build

NETS = (
    *("voc-fcn8s", "voc-fcn32s", "voc-fcn-alexnet", "voc-fcn-googlenet", "voc-largefov", "voc-deeplab-7x7"),
    *("voc-fcn8s-crfrnn", "voc-deconvnet", "camvid-segnet", "bsds-hed", "nyud-depth-fcn8s"),
)
"""Of the leaderboard, and FCN-8s, with which they are compared, first."""
LEAST = 100
"""Pixels along a side of the painting that an image is cut out of."""


def drawn(net: Any, seed: int = 1) -> None:
    """Fill a net's weights at random, so that values keep their size."""
    rng = np.random.default_rng(seed)
    for blobs in net.params.values():
        weights = blobs[0].data
        weights[...] = rng.standard_normal(weights.shape, np.float32) * np.sqrt(2 / max(weights[0].size, 1))


def seconds(name: str, size: tuple[int, int], passes: int) -> tuple[tuple[int, int], float, float]:
    """The size of the image (height, width), and processor and wall seconds of the fastest of so many passes."""
    net = build(ROWS[name].net(DEPLOY))
    drawn(net)
    data = net.blobs[net.inputs[0]]
    if not has_one_size(net):
        data.reshape(1, 3, *size)
    height, width = tuple(data.shape)[2:]
    # a CRF's lattice grows with the number of colours: noise would be the worst case
    picture, _ = scene(np.random.default_rng(2), max(height, LEAST), max(width, LEAST), 12)
    data.data[0] = planes(picture[:height, :width, ::-1], MEAN)
    found = []
    for _ in range(passes + 1):  # the first makes what the others use
        begin = time.process_time(), time.perf_counter()
        net.forward()
        found.append((time.process_time() - begin[0], time.perf_counter() - begin[1]))
    return (height, width), min(used for used, _ in found[1:]), min(wall for _, wall in found[1:])


def table(found: dict[str, tuple[tuple[int, int], float, float]]) -> str:
    """One line a net, with the ratio to the first."""
    first = next(iter(found.values()))[1]
    lines = [f"{'net':20} {'image':>9} {'cpu s':>7} {'wall s':>7} {'ratio':>7}"]
    for name, ((height, width), used, wall) in found.items():
        lines.append(f"{name:20} {f'{height}×{width}':>9} {used:7.2f} {wall:7.2f} {used / max(first, 1e-9):7.2f}")
    return "\n".join(lines)


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("nets", nargs="*", help="nets of the catalogue (default: those of the leaderboard)")
    parser.add_argument("--size", nargs=2, type=int, default=(500, 500), metavar=("H", "W"), help="default: 500 500")
    parser.add_argument("--passes", type=int, default=3, help="of each (default: 3)")
    add_device_options(parser)
    options = parser.parse_args(arguments)
    if options.passes < 1 or min(options.size) < 1:
        parser.error("--passes and --size are numbers of at least 1")
    for name in options.nets:
        if name not in {row.name for row in VARIANTS}:
            raise names.unknown(name, "variant", [row.name for row in VARIANTS], "")
    program.quiet(caffe)
    use_device(options)
    found = {}
    for name in options.nets or NETS:
        found[name] = seconds(name, tuple(options.size), options.passes)
        print(f"{name}: {found[name][1]:.2f} s", flush=True)
    print(table(found))
    return 0
