"""Scores a net on labelled images: the four metrics of the papers, every class, and the classes it is mistaken for.

    fcn score voc-fcn8s                                    the variant's val net, its newest snapshot
    fcn score models/street-fcn8s                          a snapshot folder, wherever it was moved
    fcn score --net nets/voc-fcn8s/val.prototxt --weights fcn8s-heavy-pascal.caffemodel

Images are scored at their own size, each once; those of more than 1500×1500 pixels in bands of rows, unless --crf or
--loss needs them whole. A net of several heads gets a table for each. Prints tables; --json writes the numbers with the
confusion matrix (row: true class, column: predicted class), --save-dir the predicted labels as palette PNGs, which fcn
trimap and fcn submission take. A net that predicts depth is scored by its errors (rel, rms, log10, δ), beside the best
constant. Started by torchrun, each process scores its share of the images, and their counts are summed: torchrun
--nproc-per-node 4 -m fcn_caffe score voc-fcn8s
"""

from __future__ import annotations

import argparse
from typing import Any, Optional

import numpy as np

import caffe
from fcn_caffe import home, program, sharing
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.pictures import outputs
from fcn_caffe.scoring import crf, depth, metrics, score_table
from fcn_caffe.scoring.confusions import MeanLoss, confusions
from fcn_caffe.training import what_to_score
from fcn_caffe.variants.customise import add_data_options, catalogue
from fcn_caffe.whole_files import write_json


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variant", nargs="?", help="a net of the catalogue, a task, or a snapshot folder")
    parser.add_argument("--net", type=home.text, help="a prototxt with a data layer (default: the variant's val net)")
    parser.add_argument("--weights", type=home.text, help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--images", type=int, help="how many images, where the data layer cannot tell")
    parser.add_argument("--score", help="the blob of scores (default: score, or those of the variant)")
    parser.add_argument("--label", help="the blob of labels (default: label, or those of the variant)")
    parser.add_argument("--loss", action="store_true", help="report the mean loss, too")
    parser.add_argument(
        "--exclude-absent",
        action=argparse.BooleanOptionalAction,
        help="leave classes that are not in the truth out of the means (default: for SIFT Flow, as published)",
    )
    parser.add_argument(
        "--ignore", type=int, nargs="+", default=[], metavar="ID", help="classes whose pixels do not count, as if void"
    )
    parser.add_argument("--names", type=home.text, help="the classes' names, one on a line (default: the data set's)")
    parser.add_argument("--json", type=home.path, help="write the metrics and the confusion matrix there")
    parser.add_argument("--save-dir", type=home.path, help="write predicted labels there")
    crf.add_crf_option(parser)
    add_data_options(parser)
    add_device_options(parser)
    return parser


def _to_score(options: argparse.Namespace) -> what_to_score.Scored:
    if options.variant:
        found = what_to_score.find(options.variant, catalogue(options), options.weights, options.net)
        return found.with_blobs(options.label, options.score)
    found = what_to_score.Scored(options.net, options.weights, {"label": "score"}, {"label": "loss"})
    return found.with_blobs(options.label, options.score)


def _score_depth(net: Any, what: what_to_score.Scored, options: argparse.Namespace, share: sharing.Share) -> int:
    """Print and write the measures of a net that predicts depth."""
    if share.count > 1:
        raise ValueError("measures of depth are not added up over processes. Score in one, without torchrun.")
    used = [f"--{name.replace('_', '-')}" for name in ("crf", "save_dir", "ignore", "loss") if getattr(options, name)]
    if used:
        raise ValueError(f"{' and '.join(used)}: the net predicts depth, expected one of classes. Leave it out.")
    ((label, blob),) = what.heads.items()
    found = depth.measure(net, label, blob, options.images)
    print(depth.table(found))
    if options.json:
        write_json(options.json, found)
    return 0


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.images is not None and options.images < 1:
        parser.error(f"--images is {options.images}, expected at least one")
    if not options.variant and not (options.net and options.weights):
        parser.error("give a variant, or --net and --weights")
    if options.json:
        outputs.check_json(options.json)
    what = _to_score(options)
    exclude_absent = what.exclude_absent if options.exclude_absent is None else options.exclude_absent
    program.quiet(caffe)
    with sharing.together() as share:
        use_device(options, share.local)
        net = what.load()
        if depth.predicts_depth(net, what.heads):
            return _score_depth(net, what, options, share)
        mean_loss = MeanLoss(net, what.losses if options.loss else {})
        names = {label: what.names(net, score, options.names) for label, score in what.heads.items()}
        colours = {label: what.colours(net, score, options.names) for label, score in what.heads.items()}
        refine = crf.refinement(net, options.crf) if options.crf else None
        every_image = mean_loss if options.loss else None
        own = confusions(net, what.heads, options.images, options.save_dir, every_image, colours, refine, share)
        hists = {label: share.summed(hist) for label, hist in own.items()}
        mean_loss.add_up(share)
    if share.is_first:
        _tell(options, hists, mean_loss, names, exclude_absent)
    return 0


def _tell(
    options: argparse.Namespace,
    hists: dict[str, np.ndarray],
    mean_loss: MeanLoss,
    names: dict[str, Optional[list[str]]],
    exclude_absent: bool,
) -> None:
    values = {}
    for label, counted in hists.items():
        hist, loss = metrics.without(counted, options.ignore), mean_loss.of(label)
        left_out = exclude_absent or bool(options.ignore)
        table = score_table.report(hist, left_out, names[label], loss)
        print(table if len(hists) == 1 else f"{label}: {table}")
        values[label] = score_table.as_dict(hist, left_out, names[label], loss)
    if options.json:
        write_json(options.json, values if len(values) > 1 else next(iter(values.values())))
