"""Trains a net of the catalogue, or all stages up to it: 32s → 16s → 8s.

    python tools/solve.py voc-fcn8s --chain --resume     every stage that is not done yet, each from the stage before
    python tools/solve.py voc-fcn16s --gpu 0             one stage
    python tools/solve.py --list                         variants, what they start from, published and own scores
    python tools/solve.py voc-fcn8s --chain --voc-dir data/camvid --classes 11       the same on your own data set

Snapshots, the loss of every iteration (loss.csv) and the scores (scores.json) go to snapshot/VARIANT/. SIGINT and
SIGTERM save a snapshot before they stop the training; --resume goes on from the newest one.
"""

from __future__ import annotations

import argparse
import csv
import json
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import caffe
import surgery
from net_spec.nets import Variant
from tools import metrics, project, stages  # noqa: F401
from tools.customise import Catalogue, add_data_options
from tools.device import add_device_options, use_device
from tools.missing import check_data
from tools.score import confusion_of, report


class Stopped(Exception):
    """A signal asked for the end of the training."""


class Recorder:
    """Writes the loss of every iteration, and ends the training where a signal asks for it."""

    def __init__(self, solver: Any, row: Variant, folder: Path):
        self.solver, self.stop = solver, False
        self.losses = [head.loss for head in row.data.heads]
        self.labels = [head.label for head in row.data.heads]
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / "loss.csv", "a", newline="")  # noqa: SIM115  (closed by close)
        self.rows = csv.writer(self.file)
        if self.file.tell() == 0:
            self.rows.writerow(["iteration", *self.losses, "loss_per_pixel"])
        solver.add_callback(self.on_start, self.on_gradients)
        self.handlers = {number: signal.signal(number, self.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(self, number: int, frame: Any) -> None:
        self.stop = True

    def on_start(self) -> None:
        if self.stop:
            raise Stopped

    def on_gradients(self) -> None:
        blobs = self.solver.net.blobs
        losses = [float(blobs[name].data) for name in self.losses]
        pixels = sum(int(np.count_nonzero(blobs[name].data != 255)) for name in self.labels)
        self.rows.writerow([self.solver.iter, *losses, sum(losses) / max(pixels, 1)])

    def close(self) -> None:
        self.file.close()
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


def initialise(solver: Any, row: Variant, weights: list[Path]) -> None:
    """The weights of the stage before, and bilinear kernels in every deconvolution."""
    net = solver.net
    if row.late:
        for start, path, suffix in zip(row.starts, weights, row.data.inputs):
            surgery.transplant(net, caffe.Net(f"nets/{start}/deploy.prototxt", caffe.TEST, weights=str(path)), suffix)
    else:
        for path in weights:
            net.copy_from(str(path))
    if row.data.first:
        _widen_first_convolution(net, row, weights)
    surgery.interp(net, [name for name in net.params if "up" in name])


def _widen_first_convolution(net: Any, row: Variant, weights: list[Path]) -> None:
    """Give input channels that the trunk was not trained on the mean of the kernels it has."""
    source = caffe.Net(f"nets/{row.starts[0]}/conv.prototxt", caffe.TEST, weights=str(weights[0]))
    name = next(iter(source.params))
    kernels, target = source.params[name][0].data, net.params[name + row.data.first]
    target[0].data[:, : kernels.shape[1]] = kernels
    target[0].data[:, kernels.shape[1] :] = kernels.mean(axis=1, keepdims=True)
    target[1].data[...] = source.params[name][1].data


def train(row: Variant, solver_file: str, options: argparse.Namespace) -> None:
    """Run one stage to its end."""
    iterations = options.iterations or row.recipe.iterations
    done = stages.progress(row.name)
    folder = stages.SNAPSHOTS / row.name
    if done and not (options.resume or options.restart):
        raise ValueError(
            f"{row.name}: '{folder}' holds a training at iteration {done.iteration}. --resume goes on from it, "
            "--restart begins anew."
        )
    if done and options.resume and done.iteration >= iterations:
        print(f"{row.name}: done ({done.weights})")
        return
    if options.restart:
        for old in folder.glob("*"):
            old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    resumed = done if options.resume else None
    weights = [Path(file) for file in options.weights] if options.weights else []
    if resumed is None and not weights:
        weights = stages.starting_weights(row)
    solver = caffe.get_solver(solver_file)
    if resumed:
        print(f"{row.name}: going on from {resumed.state}")
        solver.restore(str(resumed.state))
    else:
        print(f"{row.name}: starting from {', '.join(map(str, weights))}")
        initialise(solver, row, weights)
    recorder = Recorder(solver, row, folder)
    try:
        while solver.iter < iterations:
            rest = iterations - solver.iter
            solver.step(
                min(rest, options.score_every - solver.iter % options.score_every) if options.score_every else rest
            )
            if options.score_every and solver.iter < iterations:
                score(solver, row, folder)
    except Stopped:
        solver.snapshot()
        raise SystemExit(
            f"{row.name}: stopped at iteration {solver.iter}, snapshot written; --resume goes on"
        ) from None
    except BaseException:
        if solver.iter:
            solver.snapshot()
        raise
    finally:
        recorder.close()
    solver.snapshot()
    score(solver, row, folder)


def score(solver: Any, row: Variant, folder: Path) -> None:
    """Score the net as it is on the validation images; scores.json keeps every scoring."""
    net = solver.test_nets[0]
    net.share_with(solver.net)
    file = folder / "scores.json"
    history = json.loads(file.read_text()) if file.exists() else []
    entry: dict[str, Any] = {"iteration": solver.iter}
    for head in row.data.heads:
        hist = confusion_of(net, row.data.val.images, "score" + head.suffix, head.label)
        entry[head.label] = metrics.scores(hist).as_dict()
        print(f"{row.name}{head.suffix}: iteration {solver.iter}\n{report(hist)}", flush=True)
    file.write_text(json.dumps([*history, entry], indent=1) + "\n")


def listing(rows: dict[str, Variant]) -> str:
    """One line a variant: what it starts from, its data, published and own mean IU in percent."""
    lines = [f"{'variant':26} {'starts from':38} {'data':20} {'published':>9} {'ours':>6}"]
    for row in rows.values():
        file = stages.SNAPSHOTS / row.name / "scores.json"
        own = json.loads(file.read_text())[-1][row.data.heads[0].label]["mean_iu"] if file.exists() else None
        lines.append(
            f"{row.name:26} {' + '.join(row.starts):38} {row.data.train.layer[:20]:20} "
            f"{'' if row.published is None else format(row.published, '.1f'):>9} "
            f"{'' if own is None else format(100 * own, '.1f'):>6}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", help="a net of the catalogue")
    parser.add_argument("--list", action="store_true", help="list the variants")
    parser.add_argument(
        "--chain", action="store_true", help="train the stages before it first, where they are not done"
    )
    parser.add_argument("--weights", nargs="+", help="start from these weights instead of the stage before")
    parser.add_argument("--resume", action="store_true", help="go on from the newest snapshot, if there is one")
    parser.add_argument("--restart", action="store_true", help="begin anew; older snapshots of the variant are removed")
    parser.add_argument("--iterations", type=int, help="train up to this iteration (default: the recipe's)")
    parser.add_argument(
        "--score-every", type=int, default=0, metavar="N", help="score every N iterations, not only at the end"
    )
    parser.add_argument("--seed", type=int, help="seed of dropout and fillers")
    add_data_options(parser)
    add_device_options(parser)
    options = parser.parse_args(arguments)
    try:
        catalogue = Catalogue(options)
        if options.list:
            print(listing(catalogue.rows))
            return 0
        if not options.variant:
            parser.error("give a variant, or --list")
        use_device(options)
        if options.seed is not None:
            caffe.set_random_seed(options.seed)
        target = catalogue.find(options.variant)
        todo = stages.chain(target, catalogue.rows) if options.chain else [target]
        check_data(target)
        for row in todo:
            train(row, catalogue.solver_file(row), options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"solve: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
