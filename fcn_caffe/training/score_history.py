"""scores.json beside the snapshots of a training: every time that it was scored."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fcn_caffe.whole_files import open_atomic, read_json


def read_scores(folder: Path) -> list[dict[str, Any]]:
    """Every scoring of a training, first to last: its iteration, and the metrics by the name of the labels.

    Raises ValueError for a file that is damaged.
    """
    path = folder / "scores.json"
    try:
        scores = read_json(path) if path.exists() else []
    except ValueError as error:
        raise ValueError(_damaged(path, str(error))) from error
    if not isinstance(scores, list) or not all(map(_is_scoring, scores)):
        raise ValueError(_damaged(path, "it is something else"))
    return scores


def quality(values: dict[str, Any]) -> float:
    """The measure by which scorings are compared, a share of 1: mean IU; of depth, δ < 1.25."""
    return float(values["mean_iu"] if "mean_iu" in values else values["delta1"])


def quality_name(scores: Iterable[dict[str, Any]]) -> str:
    """What `quality` measures in scorings of one training, as the axis of a chart says it."""
    measured = (values for entry in scores for key, values in entry.items() if key != "iteration")
    return "mean IU" if all("mean_iu" in values for values in measured) else "δ < 1.25"


def _is_scoring(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("iteration"), int):
        return False
    metrics = [values for key, values in entry.items() if key != "iteration"]
    return all(
        isinstance(each, dict) and isinstance(each.get("mean_iu", each.get("delta1")), (int, float)) for each in metrics
    )


def _damaged(path: Path, found: str) -> str:
    return (
        f"'{path}' holds no list of scorings ({found}): it was cut off or edited. Remove it: only the scores so far "
        "are lost, which fcn score computes again."
    )


def write_scores(folder: Path, scores: list[dict[str, Any]]) -> None:
    """Write the scores of a training's folder as scores.json, whole or not at all."""
    with open_atomic(folder / "scores.json") as file:
        file.write((json.dumps(scores, indent=1) + "\n").encode())


def is_scored(folder: Path, iteration: int) -> bool:
    """Whether the folder has scores of this iteration."""
    return any(entry["iteration"] == iteration for entry in read_scores(folder))


def best_scored(folder: Path, label: str) -> int | None:
    """The iteration with the best scores on these labels; None where nothing is scored."""
    scored = [entry for entry in read_scores(folder) if label in entry]
    return max(scored, key=lambda entry: quality(entry[label]))["iteration"] if scored else None


def has_ended(folder: Path, label: str, patience: int, iterations: int) -> bool:
    """Whether a training with patience has ended: at its last iteration, or because so many scorings in a row had no
    higher mean IU than the best before them."""
    scored = [entry["iteration"] for entry in read_scores(folder) if label in entry]
    best = best_scored(folder, label)
    if best is None:
        return False
    return max(scored) >= iterations or sum(iteration > best for iteration in scored) >= patience
