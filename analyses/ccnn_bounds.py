"""The cost of CCNN's bounds on background, .3 to .7 of every image, for images outside these bounds.

    python -m analyses ccnn_bounds                     on true labels alone, in a minute
    python -m analyses ccnn_bounds --updates 500       and in trainings of so many images

The true shares of the classes in cells of 16 pixels, slightly smoothed, are the scores of a perfect net. CCNN trains on
the nearest distribution that satisfies the constraints; the cost is the probability that the true class loses. The
trainings differ only in their bounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import caffe
from analyses import experiment
from analyses.experiment import Trial
from fcn_caffe import program
from fcn_caffe.data_layers.segdata.constraints import Constraints, ConstraintSettings
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.tags import Tagged
from fcn_caffe.pictures.legend import reader
from fcn_caffe.progress import progress

CELL, DOUBT = 16, 0.05
WIDE = (0.1, 0.96)
"""Bounds that 95 % of the training images of VOC's seven classes satisfy."""
BOUNDS = {".3 to .7": (0.3, 0.7), "none": (0.0, 1.0), f"{WIDE[0]:g} to {WIDE[1]:g}": WIDE}


def cells(label: np.ndarray, classes: int, size: int = CELL) -> np.ndarray:
    """The share of each class in the cells of a label that have a class, classes×cells; of void nothing counts."""
    rows, columns = np.indices(label.shape) // size
    place = rows * (columns.max() + 1) + columns
    known = label != VOID
    counts = np.zeros((classes, int(place.max()) + 1))
    np.add.at(counts, (label[known], place[known]), 1)
    counts = counts[:, counts.sum(0) > 0]
    return counts / counts.sum(0)


def on_truth(shares: np.ndarray, settings: ConstraintSettings) -> float:
    """The mean probability of the true class in the distribution nearest to the truth that satisfies the
    constraints.
    """
    doubtful = (1 - DOUBT) * shares + DOUBT / len(shares)
    target = Constraints.of(shares.mean(1), settings).nearest(np.log(doubtful))
    return float((target * shares).sum(0).mean())


def labels(row: Tagged, every: int) -> Iterator[np.ndarray]:
    """The masks of every so many-th of a row's training images, height×width."""
    params = {key: value for key, value in row.data.train.params.items() if key != "mirror"}
    layer = reader(row).__new__(reader(row))
    layer.param_str, layer.phase = repr({**params, "randomize": False, "prefetch": 0}), caffe.TEST
    layer.setup([], [None, None])
    names = layer.indices[::every]
    with progress("labels", "labels", len(names)) as advance:
        for name in names:
            yield layer.load_label(name)[0]
            advance()


def table(found: dict[str, list[float]], background: Sequence[float]) -> str:
    """The mean probability of the true class, for all images, and for those with background within, below and above .3
    to .7.
    """
    share = np.array(background)
    low, high = BOUNDS[".3 to .7"]
    groups = {"all": share >= 0, "kept": (low <= share) & (share <= high), "less": share < low, "more": share > high}
    lines = [f"{'bounds':12}" + "".join(f"{name + ' (' + str(int(g.sum())) + ')':>14}" for name, g in groups.items())]
    for name, values in found.items():
        each = np.array(values)
        means = (f"{each[group].mean():14.4f}" if group.any() else f"{'–':>14}" for group in groups.values())
        lines.append(f"{name:12}" + "".join(means))
    return "\n".join(lines)


def trials(row: Tagged, updates: int) -> list[Trial]:
    """A training for each of the bounds."""
    return [
        Trial(f"bounds {name}", replace(row, settings={**row.settings, "background": bounds}), updates)
        for name, bounds in BOUNDS.items()
    ]


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("--every", type=int, default=10, help="every N-th training image alone (default: 10)")
    parser.add_argument("--updates", type=int, default=0, help="of each training (default: 0, none)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="a training for each (default: 1)")
    add_device_options(parser)
    options: argparse.Namespace = parser.parse_args(arguments)
    if options.every < 1:
        parser.error(f"--every is {options.every}, expected 1 or more")
    row: Any = ROWS["voc7-ccnn"]
    program.quiet(caffe)
    use_device(options)
    classes = row.data.heads[0].classes
    found: dict[str, list[float]] = {name: [] for name in BOUNDS}
    background: list[float] = []
    for label in labels(row, options.every):
        shares = cells(label, classes)
        background.append(float(shares[0].mean()))
        for name, bounds in BOUNDS.items():
            found[name].append(on_truth(shares, ConstraintSettings(background=bounds)))
    print(table(found, background))
    if options.updates:
        folder = experiment.OUT / "ccnn_bounds"
        results = {
            trial.name: [experiment.run(trial, folder, seed, 1) for seed in options.seeds]
            for trial in trials(row, options.updates)
        }
        print(experiment.table(results))
    return 0
