"""Reads the records of trainings from their folders: every stage, first to last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe import home, names
from fcn_caffe.training import losses, runs, trained
from fcn_caffe.training.losses import Losses
from fcn_caffe.training.score_history import read_scores
from fcn_caffe.training.trained import Trained
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import Catalogue
from fcn_caffe.whole_files import read_json


@dataclass(frozen=True)
class TrainedStage:
    """A training. settings: what trained.json has besides the net itself. heads: for each blob of labels that of
    scores. scores, runs: every scoring, every run of the training."""

    folder: Path
    net: Trained
    settings: dict[str, Any]
    heads: dict[str, str]
    losses: Losses
    scores: list[dict[str, Any]]
    runs: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """Of the net."""
        return self.net.name

    @property
    def seconds(self) -> float:
        """All iterations together; NaN where nobody counted."""
        known = self.losses.seconds[~np.isnan(self.losses.seconds)]
        return float(known.sum()) if known.size else float("nan")

    @property
    def scored_at(self) -> int:
        """The iteration at which the net was scored last; -1: never."""
        return self.scores[-1]["iteration"] if self.scores else -1


def gather(given: Sequence[str], nets: Catalogue) -> list[TrainedStage]:
    """The stages that are named; of a single one also those before it, as far as they are there.

    given: nets, tasks, or paths of snapshot folders. Raises FileNotFoundError for one that was not trained.
    """
    folders = [_folder(name, nets) for name in given]
    if len(folders) == 1:
        folders = [*_before(folders[0]), *folders]
    return [read(folder) for folder in folders]


def read(folder: Path) -> TrainedStage:
    """One stage. Raises ValueError for damaged files and FileNotFoundError for missing ones."""
    net = trained.read(folder)
    if net is None:
        raise FileNotFoundError(
            f"'{folder / trained.FILE}' is missing, expected a snapshot folder of fcn solve. Name such a folder."
        )
    settings = read_json(folder / trained.FILE)
    heads = {str(label): str(score) for label, score in settings.get("heads", {"label": "score"}).items()}
    recorded = losses.read(str(folder.resolve()))
    return TrainedStage(folder, net, settings, heads, recorded, read_scores(folder), runs.read(folder))


def _folder(name: str, nets: Catalogue) -> Path:
    if trained.is_there(home.path(name)):
        return home.path(name).resolve()
    folder = stages.SNAPSHOTS / nets.own_names.get(name, name)
    if trained.is_there(folder):
        return folder
    if nets.own_names.get(name, name) in nets.rows:
        raise FileNotFoundError(f"'{folder}' holds no training. Run `fcn solve {name}` first.")
    there = sorted(path.parent.name for path in stages.SNAPSHOTS.glob(f"*/{trained.FILE}"))
    raise names.unknown(name, "training", there, "Name a net that fcn solve trained, or its folder.")


def _before(folder: Path) -> list[Path]:
    """The trainings that one goes back to, beside it, first to last."""
    found: list[Path] = []
    while True:
        starts = read_json(folder / trained.FILE).get("starts") or {}
        near = [folder.parent / str(start) for start in starts]
        there = [path for path in near if trained.is_there(path) and path not in found and path != folder]
        if len(there) != 1:
            return found
        folder = there[0]
        found.insert(0, folder)
