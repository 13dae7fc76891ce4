"""Trains a net of the catalogue, or all stages up to it: 32s → 16s → 8s.

    fcn solve voc-fcn8s --chain --resume     every stage that is not done yet, each from the stage before
    fcn solve voc-fcn16s --gpu 0             one stage
    fcn solve --list                         variants, what they start from, published and own scores
    fcn solve my-task --chain                a task of your own (fcn new)
    fcn solve voc-fcn8s --chain --voc-dir data/mine --classes 11         your own data in VOC's layout

Snapshots, the loss of every iteration (loss.csv), the scores (scores.json) and Caffe's log (train.log) go to
snapshot/VARIANT/. Of the snapshots that a run writes, the newest two and the best-scored one stay (--keep). SIGINT and
SIGTERM save a snapshot before they stop the training; --resume goes on from the newest one. A loss or weights that are
NaN or infinite end it (--allow-nan goes on).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import caffe
from fcn_caffe import home, program
from fcn_caffe.commands.score import ABSENT_EXCLUDED, confusions, report
from fcn_caffe.device import add_device_options, use_device
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.progress import progress
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring.class_names import class_names
from fcn_caffe.training import own_data, trained
from fcn_caffe.training.forecast import sentence
from fcn_caffe.training.initial import initialise
from fcn_caffe.training.keep import Keeper
from fcn_caffe.training.recorder import Recorder, Stopped, best_scored, is_scored, read_scores, write_scores
from fcn_caffe.training.training_log import FILE, TrainingLog, training_log
from fcn_caffe.variants import missing, stages
from fcn_caffe.variants.customise import Catalogue, add_data_options, catalogue


def train(row: Variant, nets: Catalogue, weights: list[Path], options: argparse.Namespace, after: int = 0) -> None:
    """Run one stage to its end, from its newest snapshot or from `weights`, and score it. after: stages to come."""
    if is_done(row, options):
        print(f"{row.name}: done ({stages.weights_of(row.name)})")
        return
    with training_log(options.verbose) as log:
        _train(row, nets, weights, options, log, after)
    print(f"{row.name}: done. To use it: fcn infer {row.name} IMAGE …", flush=True)


def _train(
    row: Variant, nets: Catalogue, weights: list[Path], options: argparse.Namespace, log: TrainingLog, after: int
) -> None:
    iterations = options.iterations or row.recipe.iterations
    folder = stages.SNAPSHOTS / row.name
    resumed = stages.progress(row.name) if options.resume else None
    if options.seed is not None:
        caffe.set_random_seed(options.seed)
    nets.write(row)
    folder.mkdir(parents=True, exist_ok=True)
    solver = caffe.get_solver(nets.solver_file(row))
    solver.net.keep_diffs = False
    solver.allow_nan = options.allow_nan
    if resumed:
        print(f"{row.name}: going on from {resumed.state}", flush=True)
        solver.restore(str(resumed.state))
    else:
        weights = weights or [stages.weights_of(start) for start in row.starts]
        print(f"{row.name}: starting from {', '.join(map(str, weights))}", flush=True)
        initialise(solver.net, row, nets.rows, weights, options.allow_zero_init)
    if options.allow_zero_init:
        solver.allow_zero_init = True
    trained.record(solver, row, nets, weights, options)
    forecast = sentence(solver, row.recipe, iterations, options, folder)
    more = f"; the {after} stage{'s' * (after > 1)} after it about as much each" if after else ""
    print(f"{row.name}: {forecast}{more}. Caffe's log: {folder / FILE}", flush=True)
    _run(solver, row, folder, iterations, options, log)
    score(solver, row, folder)


def _run(
    solver: Any, row: Variant, folder: Path, iterations: int, options: argparse.Namespace, log: TrainingLog
) -> None:
    """Iterate, scoring now and then. What was trained until an error or the first signal is in a snapshot."""
    begin, every = solver.iter, options.score_every or iterations
    keeper, label = Keeper(folder, options.keep), row.data.heads[0].label
    recorder = Recorder(
        *(solver, row, folder, iterations, options.restart, options.allow_nan),
        lambda: log.open(folder, anew=begin == 0),
    )
    recorder.after_snapshot = lambda: keeper.prune(best_scored(folder, label))
    try:
        while solver.iter < iterations:
            if solver.iter and solver.iter % every == 0 and not is_scored(folder, solver.iter):
                score(solver, row, folder)
                if best_scored(folder, label) == solver.iter:
                    solver.snapshot()
                recorder.after_snapshot()
            recorder.new_interval()
            bar = progress(row.name, "iterations", iterations, solver.iter, lines=False)
            with bar as recorder.after_iteration:
                solver.step(min(iterations - solver.iter, every - solver.iter % every))
    except Stopped:
        raise RuntimeError(f"{row.name}: stopped at iteration {solver.iter}; --resume goes on from there") from None
    except KeyboardInterrupt:
        begin = solver.iter  # perhaps in the midst of an update: nothing to keep
        raise
    except RuntimeError:
        if not recorder.is_finite():
            begin = solver.iter  # the weights that led there are not to be gone on from
        raise
    finally:
        recorder.close()
        if solver.iter > begin:
            solver.snapshot()
            keeper.prune(best_scored(folder, label))


def score(solver: Any, row: Variant, folder: Path) -> None:
    """Score the net as it is on the validation images; scores.json keeps every scoring."""
    net = solver.test_nets[0]
    net.share_with(solver.net)
    entry: dict[str, Any] = {"iteration": solver.iter}
    heads = {head.label: "score" + head.suffix for head in row.data.heads}
    exclude_absent = row.data.module in ABSENT_EXCLUDED
    for label, hist in confusions(net, heads, row.data.val.images).items():
        entry[label] = metrics.scores(hist, exclude_absent).as_dict()
        table = report(hist, exclude_absent, class_names(net.layers[0], len(hist)))
        print(f"{row.name} ({label}): iteration {solver.iter}\n{table}", flush=True)
    write_scores(folder, [*read_scores(folder), entry])


def is_done(row: Variant, options: argparse.Namespace) -> bool:
    """Whether a resumed training has nothing to do: trained and scored."""
    found = stages.progress(row.name) if options.resume else None
    if found is None or found.iteration < (options.iterations or row.recipe.iterations):
        return False
    return any(entry["iteration"] >= found.iteration for entry in read_scores(stages.SNAPSHOTS / row.name))


def check_nothing_is_overwritten(todo: list[Variant], options: argparse.Namespace) -> None:
    for row in todo:
        found = stages.progress(row.name)
        if found and not (options.resume or options.restart):
            raise ValueError(
                f"{row.name}: '{found.weights.parent}' holds a training at iteration {found.iteration}. --resume goes "
                "on from it, --restart begins anew and removes it."
            )


def listing(rows: dict[str, Variant]) -> str:
    """One line a variant: what it starts from, its data, published and own mean IU in percent."""
    lines = [("variant", "starts from", "learns from", "scored on", "ours", "published")]
    for row in rows.values():
        scores = read_scores(stages.SNAPSHOTS / row.name)
        own = f"{100 * scores[-1][row.data.heads[0].label]['mean_iu']:.1f}" if scores else ""
        data = (f"{split.folders[-1]} {split.params['split']}" for split in (row.data.train, row.data.val))
        lines.append((row.name, " + ".join(row.starts), *data, own, row.published))
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variant", nargs="?", help="a net of the catalogue")
    parser.add_argument("--list", action="store_true", help="list the variants")
    parser.add_argument(
        "--chain", action="store_true", help="train the stages before it first, where they are not done"
    )
    parser.add_argument(
        "--weights", nargs="+", type=home.path, default=[], help="start the (first) stage from these weights instead"
    )
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--resume", action="store_true", help="go on from the newest snapshot, if there is one")
    begin.add_argument("--restart", action="store_true", help="begin anew; older snapshots of the variant are removed")
    parser.add_argument("--iterations", type=int, help="train up to this iteration (default: the recipe's)")
    parser.add_argument(
        "--score-every", type=int, default=0, metavar="N", help="score every N iterations, not only at the end"
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=2,
        metavar="N",
        help="keep the newest N snapshots of this run and the best-scored one, remove others that it wrote (default: "
        "2; 0: keep all)",
    )
    parser.add_argument("--verbose", action="store_true", help="show all of Caffe's log, not only its warnings")
    parser.add_argument(
        "--allow-nan", action="store_true", help="go on with a loss or weights that are NaN or infinite"
    )
    parser.add_argument("--seed", type=int, help="seed of dropout and fillers")
    parser.add_argument(
        "--allow-zero-init", action="store_true", help="train a net even where zero weights keep it from learning"
    )
    parser.add_argument("--no-check", action="store_true", help="do not look data of your own over before training")
    parser.add_argument(
        "--allow-absent", action="store_true", help="train on data of your own that lack some of their classes"
    )
    add_data_options(parser)
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    nets = catalogue(options)
    if options.list:
        print(listing(nets.rows))
        return 0
    if not options.variant:
        parser.error("give a variant, or --list")
    if (options.iterations is not None and options.iterations < 1) or options.score_every < 0:
        parser.error("--iterations and --score-every count iterations: give a positive number")
    if options.keep < 0:
        parser.error("--keep counts snapshots: give 1 or more, or 0 to keep all")
    target = nets.find(options.variant)
    todo = stages.chain(target, nets.rows) if options.chain else [target]
    check_nothing_is_overwritten(todo, options)
    trained.check_chain(todo, nets.rows, options)
    left = [row for row in todo if not is_done(row, options)]
    missing.check(left, options.resume, options.weights)
    use_device(options)
    if not options.no_check:
        own_data.check(left, options)
    for row in todo:
        after = len(left) - left.index(row) - 1 if row in left else 0
        train(row, nets, options.weights if row in left[:1] else [], options, after)
    return 0
