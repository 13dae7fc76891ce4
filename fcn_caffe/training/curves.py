"""Loss and mean IU over the trainings of several stages, as one picture."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from fcn_caffe.training.losses import read_losses, smoothed
from fcn_caffe.training.score_history import quality, quality_name, read_scores
from fcn_caffe.variants import stages


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
    scores = {name: read_scores(stages.SNAPSHOTS / name) for name in names}
    for name in names:
        iterations, losses = read_losses(name)
        left.plot(begin + iterations, smoothed(losses, max(1, len(losses) // 50)), label=name)
        points = [
            (begin + entry["iteration"], quality(next(v for k, v in entry.items() if k != "iteration")))
            for entry in scores[name]
        ]
        right.plot(*np.array(points, float).reshape(-1, 2).T, marker="o", label=name)
        begin += int(iterations[-1]) + 1 if len(iterations) else 0
    left.set(xlabel="iteration (stages one after another)", ylabel="loss per labelled pixel", yscale="log")
    right.set(
        xlabel="iteration (stages one after another)", ylabel=f"{quality_name(chain(*scores.values()))}, validation"
    )
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
