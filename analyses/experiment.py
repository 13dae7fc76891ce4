"""Short trainings that several of the analyses compare.

A trial is a variant of the catalogue with something changed. All trials of an experiment start from the same weights
with the same seed and are scored on the same images, as often. Each has a folder for nets and results; a trial with a
result is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import caffe
from fcn_caffe.device_options import add_device_options
from fcn_caffe.net_spec.generate import canonical, write
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.progress import progress
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring.confusions import MeanLoss, confusions
from fcn_caffe.training.initial import initialise
from fcn_caffe.variants import missing, stages
from fcn_caffe.variants.customise import everything
from fcn_caffe.whole_files import open_atomic, write_json

OUT = Path("out/analyses")
Change = Callable[[Any], Any]
Points = list[dict[str, float]]


def unchanged(net: Any) -> Any:
    return net


@dataclass(frozen=True)
class Trial:
    """A training of `updates` updates by the row's recipe.

    train, val: what is changed in the nets, NetParameter to NetParameter.
    """

    name: str
    row: Variant
    updates: int
    train: Change = unchanged
    val: Change = unchanged


def run(trial: Trial, folder: Path, seed: int = 1, scorings: int = 10) -> Points:
    """Train, and score `scorings` times at equal distances: the points of its curve.

    A point: updates, images (each forward and backward), seconds of the processor spent on training, loss per labelled
    pixel (the mean over images) and the four metrics, on the validation images. The net is saved as trained.caffemodel.
    """
    missing.check([trial.row], False, [])
    folder = place(trial, folder, seed)
    messages, weights = _messages(trial, folder, seed), [stages.weights_of(start) for start in trial.row.starts]
    settings = {Path(path).name: canonical(message) for path, message in messages.items()}
    settings["weights"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in weights]
    settings.update(updates=trial.updates, seed=seed, scorings=scorings)
    result = folder / "result.json"
    if result.exists():
        found = json.loads(result.read_text())
        if found["settings"] == settings:
            return found["points"]
    write(messages, "analyses/experiment.py")
    caffe.set_random_seed(seed)
    solver = caffe.get_solver(str(folder / "solver.prototxt"))
    initialise(solver.net, trial.row, everything().rows, weights)
    points, seconds, every = [], 0.0, max(1, trial.updates // scorings)
    with progress(trial.name, "updates", trial.updates) as advance:
        while solver.iter < trial.updates:
            begin = time.process_time()
            solver.step(1)
            seconds += time.process_time() - begin
            advance()
            if solver.iter % every == 0 or solver.iter == trial.updates:
                images = solver.iter * trial.row.recipe.iter_size
                points.append({"updates": solver.iter, "images": images, "seconds": seconds, **_scores(solver)})
    solver.net.save(str(folder / "trained.caffemodel"))
    write_json(result, {"points": points, "settings": settings})
    return points


def run_all(trials: Sequence[Trial], folder: Path, seeds: Sequence[int]) -> dict[str, list[Points]]:
    """Trial to its curves, one for each seed."""
    return {trial.name: [run(trial, folder, seed) for seed in seeds] for trial in trials}


def place(trial: Trial, folder: Path, seed: int) -> Path:
    """The folder of a trial's nets and results."""
    return folder / f"{trial.name.replace(' ', '-')}-seed{seed}"


def _messages(trial: Trial, folder: Path, seed: int) -> dict[str, Any]:
    """Path to message: train.prototxt, val.prototxt (its loss a mean over pixels) and solver.prototxt."""
    data = trial.row.data
    train = replace(data.train, params={**data.train.params, "seed": seed})
    row = replace(trial.row, data=replace(data, train=train))
    scored = replace(row, recipe=replace(row.recipe, normalize=True))
    solver = row.solver()
    solver.train_net, solver.test_net[0] = str(folder / "train.prototxt"), str(folder / "val.prototxt")
    solver.snapshot_prefix, solver.snapshot, solver.snapshot_after_train = str(folder / "train"), 0, False
    return {
        solver.train_net: trial.train(row.net(data.train.file)),
        solver.test_net[0]: trial.val(scored.net(data.val.file)),
        str(folder / "solver.prototxt"): solver,
    }


def _scores(solver: Any) -> dict[str, float]:
    net = solver.test_nets[0]
    net.share_with(solver.net)
    loss = MeanLoss(net, {"label": "loss"})
    found = metrics.scores(confusions(net, {"label": "score"}, after_forward=loss)["label"])
    numbers = {key: value for key, value in found.as_dict().items() if not isinstance(value, list)}
    return {"loss": loss.of("label"), **numbers}


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the options of every experiment: the net, seeds, picture and device."""
    parser.add_argument(
        "variant", nargs="?", default="demo-fcn32s", help="a net of the catalogue (default: demo-fcn32s)"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="a training for each (default: 1)")
    parser.add_argument("--out", type=Path, default=OUT / f"{name}.png")
    add_device_options(parser)


def compare(name: str, row: Variant, trials: Sequence[Trial], axes: Sequence[tuple[str, str]], options: Any) -> None:
    """Run an experiment with the options that `add_options` adds, print its table and draw its curves."""
    results = run_all(trials, OUT / name / row.name, options.seeds)
    print(table(results))
    draw(results, axes, options.out)


def table(results: dict[str, list[Points]]) -> str:
    """How each trial ended: means over its seeds, and the lowest and highest mean IU."""
    keys = ("seconds", "loss", "pixel_accuracy", "mean_accuracy", "fw_iu", "mean_iu")
    lines = [
        f"{'':14} {'updates':>7} {'images':>7} {'cpu s':>6} {'loss':>7} {'pixel acc.':>10} {'mean acc.':>9} "
        f"{'f.w. IU':>8} {'mean IU':>8}   lowest – highest"
    ]
    for name, curves in results.items():
        ends = [points[-1] for points in curves]
        seconds, loss, pixel, mean, weighted, iu = (sum(end[key] for end in ends) / len(ends) for key in keys)
        all_iu = [end["mean_iu"] for end in ends]
        lines.append(
            f"{name:14} {ends[0]['updates']:7} {ends[0]['images']:7} {seconds:6.0f} {loss:7.4f} {pixel:10.4f} "
            f"{mean:9.4f} {weighted:8.4f} {iu:8.4f}   {min(all_iu):.4f} – {max(all_iu):.4f}"
        )
    return "\n".join(lines)


def draw(results: dict[str, list[Points]], axes: Sequence[tuple[str, str]], path: Path) -> None:
    """A picture: for each pair of what points have, horizontal and vertical, the curves of all trials and seeds."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError("matplotlib is missing, expected for pictures: pip install matplotlib") from error

    figure = Figure(figsize=(5 * len(axes), 3.6), constrained_layout=True)
    for plot, (horizontal, vertical) in zip(figure.subplots(1, len(axes), squeeze=False)[0], axes):
        for index, (name, curves) in enumerate(results.items()):
            for points in curves:
                values = ([point[key] for point in points] for key in (horizontal, vertical))
                plot.plot(*values, ".-", color=f"C{index}", alpha=0.8, label=name if points is curves[0] else None)
        plot.set(xlabel=TITLES[horizontal], ylabel=TITLES[vertical])
        plot.grid(alpha=0.3)
        plot.legend(fontsize=8)
    with open_atomic(path) as file:
        figure.savefig(file, format=path.suffix[1:] or "png", dpi=110)


TITLES = {
    "updates": "updates",
    "images": "images seen",
    "seconds": "seconds of one core",
    "loss": "loss per labelled pixel, validation",
    "mean_iu": "mean IU, validation",
}
