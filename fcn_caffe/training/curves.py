"""Loss and mean IU over the trainings of several stages, as one picture."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from fcn_caffe.training.score_history import quality, read_scores
from fcn_caffe.variants import stages


def read_losses(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Iterations and loss per labelled pixel of a training, two arrays of one shape. Raises FileNotFoundError."""
    path = stages.SNAPSHOTS / name / "loss.csv"
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is missing, expected the losses of a training. Run `fcn solve {name}`.")
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        try:
            missing = {"iteration", "loss_per_pixel"}.difference(reader.fieldnames or ())
            rows = [] if missing else [(int(row["iteration"]), float(row["loss_per_pixel"])) for row in reader]
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
    iterations, losses = np.array(rows, float).reshape(-1, 2).T
    return iterations, losses


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Running means, of the shape of `values`: over the `window` values up to each one, fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def draw_curves(names: list[str], path: Path) -> None:
    """One picture: the loss of each stage over its iterations, and every mean IU that was scored. Needs matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise RuntimeError("matplotlib is missing, expected for pictures: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    begin = 0
    for name in names:
        iterations, losses = read_losses(name)
        left.plot(begin + iterations, smoothed(losses, max(1, len(losses) // 50)), label=name)
        points = [
            (begin + entry["iteration"], quality(next(v for k, v in entry.items() if k != "iteration")))
            for entry in read_scores(stages.SNAPSHOTS / name)
        ]
        right.plot(*np.array(points, float).reshape(-1, 2).T, marker="o", label=name)
        begin += int(iterations[-1]) + 1 if len(iterations) else 0
    left.set(xlabel="iteration (stages one after another)", ylabel="loss per labelled pixel", yscale="log")
    right.set(xlabel="iteration (stages one after another)", ylabel="mean IU (depth: δ < 1.25), validation")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
