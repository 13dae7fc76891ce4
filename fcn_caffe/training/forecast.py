"""An estimate of a training's disk space and time, before it starts."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.net_spec.recipes import Recipe
from fcn_caffe.training.settings import TrainingSettings

REMEMBERED = {"Adam": 2, "AdaDelta": 2}
"""How many numbers a rule of updates keeps of each weight; every other keeps one."""
SIDE = 768
"""Of the matrices whose product is timed."""


def sentence(solver: Any, row: Variant, iterations: int, settings: TrainingSettings, folder: Path) -> str:
    """How many iterations are left, how long their multiplications take, and what snapshots of them will need.

    On a GPU, nothing is said of the time.
    """
    left, recipe = iterations - solver.iter, row.recipe
    scorings = left // settings.score_every if settings.score_every else 0
    kept = snapshots(solver.iter, iterations, recipe.snapshot, settings.keep, scorings)
    size = snapshot_bytes(solver, recipe)
    free = shutil.disk_usage(folder).free
    room = f"{kept} snapshot{'s' * (kept > 1)} of {amount(size)}, {amount(kept * size)} in all ({amount(free)} free)"
    if kept * size > free:
        room += ": TOO LITTLE IS FREE; make room, or give a smaller --keep"
    spell = ""
    if settings.gpu is None:
        spell = f", roughly {span(left * step_seconds(solver, row))} for the multiplications alone"
    return f"{left} iterations{spell}; at most {room}"


def snapshots(begin: int, end: int, every: int, keep: int, scorings: int = 0) -> int:
    """How many lie on the disk at most: those kept, the best-scored one, and one that is being written.

    scorings: each may find the best weights so far, of which a snapshot is made.
    """
    written = end // every - begin // every + bool(end % every) + scorings
    return written if not keep else min(written, keep + 2)


def snapshot_bytes(solver: Any, recipe: Recipe) -> int:
    """Weights, and what the rule of updates keeps of each."""
    kept = REMEMBERED.get(recipe.rule.get("type", ""), 1)
    return (1 + kept) * 4 * sum(int(blob.count) for blobs in solver.net.params.values() for blob in blobs)


def step_seconds(solver: Any, row: Variant) -> float:
    """By the multiplications of a step on maps as large as now, and how fast this machine multiplies matrices."""
    return step_multiplications(solver.net, row.learns) * row.recipe.iter_size / multiplications_per_second()


def step_multiplications(net: Any, learns: tuple[str, ...] = ()) -> float:
    """Of a forward and a backward pass, which has a product for the weights that learn, and one for the gradient of a
    bottom below which some learn. learns: what the names of the layers begin with that do; (): all."""
    total, reached = 0.0, set[str]()
    for name, layer in zip(net._layer_names, net.layers):
        learning = bool(len(layer.blobs)) and name.startswith(learns or "")
        below = not reached.isdisjoint(net.bottom_names[name])
        if learning or below:
            reached.update(net.top_names[name])
        total += multiplications(net, name, layer) * (1 + learning + below)
    return total


def multiplications(net: Any, name: str, layer: Any) -> float:
    """Of a layer's forward pass: each weight of a convolution is used at every position of its output, and so on."""
    where = {"Convolution": net.top_names, "Deconvolution": net.bottom_names}.get(layer.type)
    if where is not None:
        shape = net.blobs[where[name][0]].data.shape
        return float(layer.blobs[0].count) * shape[0] * math.prod(shape[2:])
    if layer.type == "InnerProduct":
        return float(layer.blobs[0].count) * net.blobs[net.bottom_names[name][0]].data.shape[0]
    return 0.0


def multiplications_per_second() -> float:
    """The measured rate of a float32 matrix product, in multiplications (each with an addition) a second."""
    left, right = np.ones((2, SIDE, SIDE), np.float32)
    seconds = []
    for _ in range(4):
        begin = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - begin)
    return SIDE**3 / min(seconds)


def amount(size: float) -> str:
    """Bytes as text. (tqdm has a function for it, but need not be there under BVLC Caffe.)"""
    unit, step = next(((unit, step) for unit, step in (("GB", 1e9), ("MB", 1e6)) if size >= step), ("kB", 1e3))
    return f"{size / step:.1f} {unit}" if size < 10 * step else f"{size / step:.0f} {unit}"


def span(seconds: float) -> str:
    """A time as text."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
