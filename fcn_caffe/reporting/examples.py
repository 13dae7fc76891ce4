"""A net on its validation images: its scores, and its best and worst images."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fcn_caffe import program
from fcn_caffe.reporting.gather import TrainedStage
from fcn_caffe.scoring import depth, detail
from fcn_caffe.scoring.confusions import confusions
from fcn_caffe.scoring.detail import Detail
from fcn_caffe.scoring.looking import Seen, look
from fcn_caffe.training import what_to_score
from fcn_caffe.training.what_to_score import Scored
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import Catalogue


@dataclass
class Examples:
    """details: by the blob of labels. best, worst: of the first of them, the most telling first. note: why something is
    missing, if it is."""

    details: dict[str, Detail] = field(default_factory=dict)
    best: list[Seen] = field(default_factory=list)
    worst: list[Seen] = field(default_factory=list)
    note: str = ""


def examine(stage: TrainedStage, nets: Catalogue, count: int) -> Examples:
    """Score a stage, unless its newest weights were, and run it on the `count` best and worst images.

    Where the images or weights are no longer there, that is noted, and the rest goes on.
    """
    weights = stages.trained_weights(str(stage.folder.resolve()))
    found = Examples(detail.read(stage.folder, int(weights.stem.rsplit("_", 1)[-1])) or {})
    if found.details and not count:
        return found
    try:
        scored = what_to_score.find(str(stage.folder.resolve()), nets)
        net = scored.load()
        if depth.predicts_depth(net, scored.heads):
            raise ValueError("the net predicts depth, which has no classes.")
        if not found.details:
            found.details = _count(net, scored)
        _look(found, net, scored, stage, count)
    except (OSError, ValueError, RuntimeError) as error:
        found.note = program.words(error)
        print(f"report: WARNING: {stage.name}: images are left out: {found.note}", file=sys.stderr)
    return found


def _count(net: Any, scored: Scored) -> dict[str, Detail]:
    details = detail.Details()
    confusions(net, scored.heads, counted=details)
    return details.found


def _look(found: Examples, net: Any, scored: Scored, stage: TrainedStage, count: int) -> None:
    label, score = next(iter(scored.heads.items()))
    names = [image.name for image in found.details[label].images]
    if list(net.layers[0].indices) != names:
        raise ValueError("the list of validation images is another one now. Score again: fcn solve --resume.")
    ious = np.array([np.nan if image.mean_iu is None else image.mean_iu for image in found.details[label].images])
    order = [int(position) for position in np.argsort(ious, kind="stable") if not np.isnan(ious[position])]
    worst = order[: min(count, len(order) // 2)]
    best = order[::-1][: min(count, len(order) - len(worst))]
    found.best = look(net, best, stage.net.mean, label, score)
    found.worst = look(net, worst, stage.net.mean, label, score)
