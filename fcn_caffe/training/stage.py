"""One stage of a training, from its initial weights to its scores: snapshots, losses and scores in snapshot/NAME/."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from PIL import Image

import caffe
from fcn_caffe import engine
from fcn_caffe.boxes import prepare
from fcn_caffe.net_spec.boxed import Boxed
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.pictures import drawing
from fcn_caffe.pictures.class_names import class_names
from fcn_caffe.pictures.legend import legend_of
from fcn_caffe.progress import progress
from fcn_caffe.scoring import depth, detail, metrics
from fcn_caffe.scoring.confusions import ABSENT_EXCLUDED, confusions
from fcn_caffe.scoring.looking import look
from fcn_caffe.scoring.score_table import report
from fcn_caffe.training import trained
from fcn_caffe.training.board import PICTURES, Board
from fcn_caffe.training.forecast import sentence
from fcn_caffe.training.initial import initialise
from fcn_caffe.training.keep import Keeper
from fcn_caffe.training.recorder import Recorder, Stopped
from fcn_caffe.training.score_history import best_scored, has_ended, is_scored, read_scores, write_scores
from fcn_caffe.training.settings import TrainingSettings
from fcn_caffe.training.training_log import FILE, TrainingLog, training_log
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import Catalogue

PATIENT_SCORINGS = 20
"""How often a training with patience is scored if nothing else is said."""


def train(row: Variant, nets: Catalogue, weights: list[Path], settings: TrainingSettings, after: int = 0) -> None:
    """Run one stage to its end, from its newest snapshot or from `weights`, and score it. after: stages to come."""
    if is_done(row, settings):
        print(f"{row.name}: done ({stages.weights_of(row.name)})")
        return
    with training_log(settings.verbose) as log:
        _train(row, nets, weights, settings, log, after)
    print(f"{row.name}: done. To use it: fcn infer {row.name} IMAGE …", flush=True)


def _train(
    row: Variant, nets: Catalogue, weights: list[Path], settings: TrainingSettings, log: TrainingLog, after: int
) -> None:
    iterations = settings.iterations or row.recipe.iterations
    folder = stages.SNAPSHOTS / row.name
    resumed = stages.progress(row.name) if settings.resume else None
    if settings.seed is not None:
        caffe.set_random_seed(settings.seed)
    nets.write(row)
    if isinstance(row, Boxed) and not resumed:
        prepare.prepare(row, weights[0] if weights else stages.weights_of(row.starts[0]))
    folder.mkdir(parents=True, exist_ok=True)
    solver = _solver(row, nets, settings)
    if resumed:
        print(f"{row.name}: going on from {resumed.state}", flush=True)
        solver.restore(str(resumed.state))
    else:
        weights = weights or [stages.weights_of(start) for start in row.starts]
        print(f"{row.name}: starting from {', '.join(map(str, weights))}", flush=True)
        initialise(solver.net, row, nets.rows, weights, settings.allow_zero_init)
    if settings.allow_zero_init:
        solver.allow_zero_init = True
    trained.record(solver, row, nets, weights, settings)
    forecast = sentence(solver, row, iterations, settings, folder)
    more = f"; the {after} stage{'s' * (after > 1)} after it about as much each" if after else ""
    print(f"{row.name}: {forecast}{more}. Caffe's log: {folder / FILE}", flush=True)
    keeper = Keeper(folder, settings.keep)
    board = Board(settings.tensorboard / row.name, solver.iter) if settings.tensorboard else None
    with contextlib.closing(board) if board else contextlib.nullcontext():
        _run(solver, row, folder, iterations, settings, log, keeper, board)
        if not is_scored(folder, solver.iter):
            score(solver, row, folder, board)
    best = best_scored(folder, row.data.heads[0].label)
    if settings.patience and best is not None and best < solver.iter:
        keeper.drop_after(best)
        print(f"{row.name}: scored best at iteration {best}, whose snapshot is what stays", flush=True)


def _solver(row: Variant, nets: Catalogue, settings: TrainingSettings) -> Any:
    """The row's solver with these settings. Raises RuntimeError for what BVLC Caffe cannot do."""
    for phase in row.phases[:2]:
        engine.check_types(nets.net_file(row, phase))
    solver = caffe.get_solver(nets.solver_file(row))
    solver.net.keep_diffs = False
    if settings.checkpoint:
        engine.needs("--checkpoint", "Leave it out.")
        solver.net.checkpoint = True
    solver.allow_nan = settings.allow_nan
    return solver


def _run(
    solver: Any,
    row: Variant,
    folder: Path,
    iterations: int,
    settings: TrainingSettings,
    log: TrainingLog,
    keeper: Keeper,
    board: Optional[Board],
) -> None:
    """Iterate, scoring now and then. What was trained until an error or the first signal is in a snapshot."""
    begin, label = solver.iter, row.data.heads[0].label
    every = settings.score_every or (max(1, iterations // PATIENT_SCORINGS) if settings.patience else iterations)
    begun = functools.partial(log.open, folder, anew=begin == 0)
    recorder = Recorder(solver, row, folder, iterations, settings.restart, settings.allow_nan, begun)
    recorder.board = board
    recorder.after_snapshot = lambda: keeper.prune(best_scored(folder, label))
    try:
        while solver.iter < iterations:
            if solver.iter and solver.iter % every == 0 and not is_scored(folder, solver.iter):
                _score_now(solver, row, folder, label, recorder)
            if settings.patience and solver.iter and has_ended(folder, label, settings.patience, iterations):
                print(f"{row.name}: mean IU has not risen in {settings.patience} scorings: ended", flush=True)
                break
            _step(solver, recorder, min(iterations - solver.iter, every - solver.iter % every))
    except Stopped:
        raise RuntimeError(f"{row.name}: stopped at iteration {solver.iter}; --resume goes on from there") from None
    except KeyboardInterrupt:
        begin = solver.iter  # perhaps during an update: nothing to keep
        raise
    except RuntimeError:
        if not recorder.is_finite():
            begin = solver.iter  # training must not continue from these weights
        raise
    finally:
        recorder.close()
        if solver.iter > begin:
            solver.snapshot()
            keeper.prune(best_scored(folder, label))


def _step(solver: Any, recorder: Recorder, count: int) -> None:
    """So many iterations, with a bar."""
    recorder.new_interval()
    bar = progress(recorder.row.name, "iterations", recorder.iterations, solver.iter, lines=False)
    with bar as recorder.after_iteration:
        solver.step(count)


def _score_now(solver: Any, row: Variant, folder: Path, label: str, recorder: Recorder) -> None:
    """Score in the midst of a training, and make a snapshot of the best so far."""
    score(solver, row, folder, recorder.board)
    if best_scored(folder, label) == solver.iter:
        solver.snapshot()
    recorder.after_snapshot()


def score(solver: Any, row: Variant, folder: Path, board: Optional[Board] = None) -> None:
    """Score the net as it is on the validation images; scores.json keeps every scoring, scored.json the newest one in
    detail."""
    net = solver.test_nets[0]
    net.share_with(solver.net)
    entry: dict[str, Any] = {"iteration": solver.iter}
    heads = {head.label: "score" + head.suffix for head in row.data.heads}
    details = detail.Details()
    found = _depth(net, heads) if depth.predicts_depth(net, heads) else _classes(net, row, heads, details)
    for label, (values, table) in found:
        entry[label] = values
        print(f"{row.name} ({label}): iteration {solver.iter}\n{table}", flush=True)
    if details.found:
        detail.write(folder, solver.iter, details.found)
    write_scores(folder, [*read_scores(folder), entry])
    if board:
        board.scoring(solver.iter, entry, _pictures(net, row, heads) if details.found else [])


def _pictures(net: Any, row: Variant, heads: dict[str, str]) -> list[tuple[str, Image.Image]]:
    """Image, truth and prediction of the first validation images; none where images are no photos."""
    (label, score), *_ = heads.items()
    try:
        positions = range(min(PICTURES, len(net.layers[0].indices)))
        seen = look(net, positions, trained.of(row).mean, label, score)
    except (ValueError, AttributeError) as error:
        print(f"{row.name}: no pictures for TensorBoard: {error}", file=sys.stderr, flush=True)
        return []
    colours = legend_of(row, score).colours
    found = []
    for each in seen:
        maps = [drawing.label_image(labels, colours).convert("RGB") for labels in (each.truth, each.predicted)]
        found.append((each.name, drawing.grid([[each.image, *maps]], ["image", "truth", "prediction"], height=240)))
    return found


def _depth(net: Any, heads: dict[str, str]) -> Iterator[tuple[str, tuple[dict[str, Any], str]]]:
    """For each label the measures of the depth that is predicted, and a table."""
    for label, score in heads.items():
        found = depth.measure(net, label, score)
        yield label, (found["net"], depth.table(found))


def _classes(
    net: Any, row: Variant, heads: dict[str, str], details: detail.Details
) -> Iterator[tuple[str, tuple[dict[str, Any], str]]]:
    """For each label the metrics of the classes that are predicted, and a table. details: gets every image's."""
    exclude_absent = row.data.module in ABSENT_EXCLUDED
    for label, hist in confusions(net, heads, row.data.val.images, counted=details).items():
        table = report(hist, exclude_absent, class_names(net.layers[0], len(hist), label))
        yield label, (metrics.scores(hist, exclude_absent).as_dict(), table)


def is_done(row: Variant, settings: TrainingSettings) -> bool:
    """Whether a resumed training has nothing to do: trained and scored."""
    found = stages.progress(row.name) if settings.resume else None
    folder, iterations = stages.SNAPSHOTS / row.name, settings.iterations or row.recipe.iterations
    if found and settings.patience and has_ended(folder, row.data.heads[0].label, settings.patience, iterations):
        return True
    if found is None or found.iteration < iterations:
        return False
    return any(entry["iteration"] >= found.iteration for entry in read_scores(folder))


def check_nothing_is_overwritten(todo: list[Variant], settings: TrainingSettings) -> None:
    """Raises ValueError for a training that is there already, unless it is to be gone on from or begun anew."""
    for row in todo:
        found = stages.progress(row.name)
        if found and not (settings.resume or settings.restart):
            raise ValueError(
                f"{row.name}: '{found.weights.parent}' holds a training at iteration {found.iteration}. --resume goes "
                "on from it, --restart begins anew and removes it."
            )
