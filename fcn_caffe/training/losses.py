"""loss.csv beside the snapshots of a training: the loss, rate and time of every iteration."""

from __future__ import annotations

import csv
from typing import NamedTuple

import numpy as np

from fcn_caffe.variants import stages

FILE = "loss.csv"


class Losses(NamedTuple):
    """Of every iteration that was recorded, in order: its number, loss per labelled pixel, learning rate and seconds;
    NaN where a file of an older version does not tell."""

    iterations: np.ndarray
    per_pixel: np.ndarray
    rates: np.ndarray
    seconds: np.ndarray


def read(name: str) -> Losses:
    """The losses of a training, by its name or the path of its folder. Raises FileNotFoundError if there was none, and
    ValueError for a damaged file."""
    path = stages.SNAPSHOTS / name / FILE
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is missing, expected the losses of a training. Run `fcn solve {name}`.")
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        try:
            missing = {"iteration", "loss_per_pixel"}.difference(reader.fieldnames or ())
            rows = [] if missing else list(map(_numbers, reader))
        except (TypeError, ValueError, csv.Error) as error:
            raise ValueError(
                f"'{path}':{reader.line_num} holds no losses of a training ({error}), expected numbers below iteration "
                "and loss_per_pixel. Remove the line."
            ) from error
    if missing:
        raise ValueError(
            f"'{path}':1 names no column {' and '.join(sorted(missing))}, expected iteration, loss and loss_per_pixel. "
            "Write this line anew, or remove the file."
        )
    return Losses(*np.array(rows, float).reshape(-1, 4).T)


def _numbers(row: dict[str, str]) -> tuple[float, ...]:
    later = (float(row.get(column) or "nan") for column in ("rate", "seconds"))
    return (int(row["iteration"]), float(row["loss_per_pixel"]), *later)


def read_losses(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Iterations and loss per labelled pixel of a training, two arrays of one shape; raises as `read`."""
    found = read(name)
    return found.iterations, found.per_pixel


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Running means, of the shape of `values`: over the `window` values up to each one, fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
