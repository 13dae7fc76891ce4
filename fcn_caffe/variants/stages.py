"""The stage graph: the weights that a net's training starts from, where they are, and the progress of a training."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from fcn_caffe import home
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.nets import ClassifierNet, TrainedClassifier, Variant

SNAPSHOTS = Path("snapshot")


@dataclass(frozen=True)
class Progress:
    """The newest state of a training."""

    iteration: int
    weights: Path
    state: Path


def progress(name: str) -> Progress | None:
    """The newest snapshot of a net's training that is complete (weights and solver state)."""
    states = {iteration: weights.with_suffix(".solverstate") for iteration, weights in _snapshots(name).items()}
    there = [iteration for iteration, state in states.items() if state.exists()]
    return Progress(max(there), _snapshots(name)[max(there)], states[max(there)]) if there else None


def _snapshots(name: str) -> dict[int, Path]:
    """The weights of a training by their iteration; `name` is below SNAPSHOTS, or the path of a folder elsewhere."""
    found = {}
    for weights in (SNAPSHOTS / name).glob("train_iter_*.caffemodel"):
        if match := re.fullmatch(r"train_iter_(\d+)", weights.stem):
            found[int(match[1])] = weights
    return found


def weights_variable(name: str) -> str:
    """The environment variable that says where the weights of a classifier are."""
    return re.sub(r"[^A-Z0-9]", "_", name.rsplit("/", 1)[-1].upper()) + "_CAFFEMODEL"


def weights_of(name: str) -> Path:
    """Where the weights of a row are, or belong: a classifier's in convolutional form. Nothing says they are there."""
    row = ROWS.get(name)
    if isinstance(row, TrainedClassifier):
        return SNAPSHOTS / name / "conv.caffemodel"
    if isinstance(row, ClassifierNet):
        elsewhere = os.environ.get(weights_variable(name))
        return home.path(elsewhere) if elsewhere else Path("data/ilsvrc") / f"{name.rsplit('/', 1)[-1]}-conv.caffemodel"
    found = progress(name)
    return found.weights if found else SNAPSHOTS / name / "train_iter_*.caffemodel"


def trained_weights(name: str) -> Path:
    """The newest weights of a net that was trained: of its newest complete snapshot, or, where no solver state is left,
    of the newest at all. `name` may be the path of a folder. Raises FileNotFoundError if there are none."""
    found, weights = progress(name), _snapshots(name)
    if found is None and weights:
        return weights[max(weights)]
    if found is None:
        raise FileNotFoundError(
            f"{name}: no snapshot in '{SNAPSHOTS / name}', expected that of a training. Run `fcn solve "
            f"{name}`, or name a caffemodel with --weights."
        )
    return found.weights


def chain(row: Variant, rows: dict[str, Variant]) -> list[Variant]:
    """The stages up to a net, first to last. `rows` holds the variants by name."""
    stages: list[Variant] = []
    for start in row.starts:
        if start in rows:
            stages += [earlier for earlier in chain(rows[start], rows) if earlier not in stages]
    return [*stages, row]
