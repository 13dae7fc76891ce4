"""Trains a net of the catalogue, or all stages up to it: 32s → 16s → 8s.

    fcn solve voc-fcn8s --chain --resume     every stage that is not done yet, each from the stage before
    fcn solve voc-fcn16s --gpu 0             one stage
    fcn solve --list                         variants, what they start from, published and own scores
    fcn solve my-task --chain                a task of your own (fcn new)
    fcn solve voc-fcn8s --chain --voc-dir data/mine --classes 11         your own data in VOC's layout

Snapshots, loss, rate and seconds of every iteration (loss.csv), the scores (scores.json), Caffe's log (train.log) and,
at the end, a report (report.html) go to snapshot/VARIANT/. Of the snapshots that a run writes, the newest two and the
best-scored one stay (--keep). SIGINT and SIGTERM save a snapshot before they stop the training; --resume continues from
the newest one. A loss or weights that are NaN or infinite end it (--allow-nan continues).
"""

from __future__ import annotations

import argparse
from dataclasses import fields

from fcn_caffe import home, program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.reporting import write as report
from fcn_caffe.training import own_data, trained
from fcn_caffe.training.listing import listing
from fcn_caffe.training.settings import TrainingSettings
from fcn_caffe.training.stage import check_nothing_is_overwritten, is_done, train
from fcn_caffe.variants import missing, stages
from fcn_caffe.variants.customise import add_data_options, catalogue


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
    begin.add_argument("--resume", action="store_true", help="continue from the newest snapshot, if there is one")
    begin.add_argument("--restart", action="store_true", help="begin anew; older snapshots of the variant are removed")
    parser.add_argument(
        "--checkpoint",
        action="store_true",
        help="compute the first, largest maps again in backward, in bands of rows: less memory for large images, "
        "somewhat more time",
    )
    _add_length_options(parser)
    _add_account_options(parser)
    _add_check_options(parser)
    add_data_options(parser)
    add_device_options(parser)
    return parser


def _add_account_options(parser: argparse.ArgumentParser) -> None:
    """What is told of a training."""
    parser.add_argument("--verbose", action="store_true", help="show all of Caffe's log, not only its warnings")
    parser.add_argument(
        "--tensorboard",
        type=home.path,
        metavar="FOLDER",
        help="write loss, rate, mean IU and four pictures for TensorBoard, to FOLDER/VARIANT",
    )
    parser.add_argument("--no-report", action="store_true", help="do not write report.html at the end")


def _add_check_options(parser: argparse.ArgumentParser) -> None:
    """What is refused, and what is not."""
    parser.add_argument(
        "--allow-nan", action="store_true", help="continue with a loss or weights that are NaN or infinite"
    )
    parser.add_argument("--seed", type=int, help="seed of dropout and fillers")
    parser.add_argument(
        "--allow-zero-init", action="store_true", help="train a net even where zero weights keep it from learning"
    )
    parser.add_argument("--no-check", action="store_true", help="do not check your own data before training")
    parser.add_argument(
        "--allow-absent", action="store_true", help="train on data of your own that lack some of their classes"
    )


def _add_length_options(parser: argparse.ArgumentParser) -> None:
    """How long a stage is trained, when it is scored, and what is kept."""
    parser.add_argument("--iterations", type=int, help="train up to this iteration (default: the recipe's)")
    parser.add_argument(
        "--score-every", type=int, default=0, metavar="N", help="score every N iterations, not only at the end"
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=0,
        metavar="N",
        help="end a stage when its mean IU has not risen in N scorings, and keep the best snapshot alone "
        "(--score-every: by default a twentieth of the iterations)",
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=2,
        metavar="N",
        help="keep the newest N snapshots of this run and the best-scored one, remove others that it wrote (default: "
        "2; 0: keep all)",
    )


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
    if options.patience < 0:
        parser.error("--patience counts scorings: give 1 or more, or 0 to train to the end")
    if options.keep < 0:
        parser.error("--keep counts snapshots: give 1 or more, or 0 to keep all")
    target = nets.find(options.variant)
    todo = stages.chain(target, nets.rows) if options.chain else [target]
    settings = TrainingSettings(**{field.name: getattr(options, field.name) for field in fields(TrainingSettings)})
    check_nothing_is_overwritten(todo, settings)
    trained.check_chain(todo, nets.rows, settings.resume, bool(options.weights))
    left = [row for row in todo if not is_done(row, settings)]
    missing.check(left, options.resume, options.weights)
    use_device(options)
    if not options.no_check:
        own_data.check(left, options)
    for row in todo:
        after = len(left) - left.index(row) - 1 if row in left else 0
        train(row, nets, options.weights if row in left[:1] else [], settings, after)
    if left and not options.no_report:
        report.after_training([row.name for row in todo], nets)
    return 0
