"""Scores a net on labelled images: the four metrics of the papers, every class, and what it is mistaken for.

    fcn score voc-fcn8s                                    the variant's val net, its newest snapshot
    fcn score --net nets/voc-fcn8s/val.prototxt --weights fcn8s-heavy-pascal.caffemodel

Images are scored at their own size, each once. A net of several heads gets a table for each. Prints tables; --json
writes the numbers with the confusion matrix (row: true class, column: predicted class), --save-dir the predicted
labels as palette PNGs, which fcn trimap and fcn submission take.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import caffe
from fcn_caffe import home, program
from fcn_caffe.atomic import write_json
from fcn_caffe.data_layers.segdata import classes
from fcn_caffe.datasets import seg11valid
from fcn_caffe.device import add_device_options, use_device
from fcn_caffe.pictures import drawing, legend, outputs
from fcn_caffe.progress import progress
from fcn_caffe.scoring import crf, metrics
from fcn_caffe.scoring.class_names import class_names, settings
from fcn_caffe.scoring.score_table import report
from fcn_caffe.training import trained
from fcn_caffe.variants.customise import add_data_options, catalogue
from fcn_caffe.variants.loading import keep_no_blobs, load

ABSENT_EXCLUDED = ("siftflow_layers",)
"""Data layers of data sets whose published scores leave out classes that the truth has nowhere (CVPR, footnote 10)."""


def confusions(
    net: Any,
    heads: dict[str, str],
    images: int | None = None,
    save_dir: Path | None = None,
    after_forward: Callable[[int], None] | None = None,
    colours: dict[str, np.ndarray] | None = None,
    refine: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Run the images of the net's data layer through it, once each, and count pixels: true class × predicted class.

    heads: the blobs of labels, and for each the blob of scores; the result has the same keys.
    images: how many to take, where the data layer cannot tell how many it has.
    save_dir: where predicted labels go, NAME.png (of several heads LABEL_NAME.png). Raises ValueError, before anything
        is computed, if there are files of that name that no tool has written.
    colours: of the classes, 256×3, for each blob of labels (default: VOC's).
    refine: makes the scores of an item of the batch, classes×height×width, those that are counted.
    after_forward: called with the number of images that the net's blobs hold, each time.
    """
    unknown = [blob for pair in heads.items() for blob in pair if blob not in net.blobs]
    if unknown:
        raise ValueError(f"score: the net has no blob {', '.join(unknown)}; there are {', '.join(net.blobs)}.")
    names = getattr(net.layers[0], "indices", None)
    images = len(names) if names else images
    if not images:
        raise ValueError("score: the data layer does not tell how many images it has: give --images")
    prefixes = {label: f"{label}_" if len(heads) > 1 else "" for label in heads}
    if save_dir is not None:
        files = [save_dir / f"{prefix}{name}.png" for name in names or () for prefix in prefixes.values()]
        outputs.check(files, [], "Name another folder with --save-dir.")
    looked_at = [*heads, *heads.values(), *net.top_names[net._layer_names[0]]]
    _rewind(net.layers[0])
    hists = {label: np.zeros((net.blobs[score].shape[1],) * 2, np.int64) for label, score in heads.items()}
    done = 0
    with progress("scoring", "images", images) as advance:
        while done < images:
            net.forward(blobs=looked_at)
            batch = min(net.blobs[next(iter(heads))].shape[0], images - done)
            if after_forward:
                after_forward(batch)
            for item in range(batch):
                name = names[done + item] if names else f"{done + item:06d}"
                for label, score in heads.items():
                    scores = net.blobs[score].data[item]
                    predicted = (refine(scores, item) if refine else scores).argmax(0)
                    truth = net.blobs[label].data[item].reshape(predicted.shape).astype(np.int64)
                    hists[label] += metrics.confusion(truth, predicted, len(hists[label]))
                    if save_dir is not None:
                        file = save_dir / f"{prefixes[label]}{name}.png"
                        drawing.save_labels(predicted, file, (colours or {}).get(label))
                advance()
            done += batch
    return hists


def _rewind(layer: Any) -> None:
    """Let a data layer begin with its first image, whatever it gave before."""
    if hasattr(layer, "set_state"):
        layer.set_state({**layer.state(), "position": 0})


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variant", nargs="?", help="a net of the catalogue")
    parser.add_argument("--net", type=home.text, help="a prototxt with a data layer (default: the variant's val net)")
    parser.add_argument("--weights", type=home.text, help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--images", type=int, help="how many images, where the data layer cannot tell")
    parser.add_argument("--score", help="the blob of scores (default: score, or those of the variant)")
    parser.add_argument("--label", help="the blob of labels (default: label, or those of the variant)")
    parser.add_argument("--loss", action="store_true", help="report the mean loss, too")
    parser.add_argument(
        "--exclude-absent",
        action=argparse.BooleanOptionalAction,
        help="leave classes that the truth has nowhere out of the means (default: for SIFT Flow, as published)",
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


class MeanLoss:
    """Adds up the losses of scored images; `of` a label is the mean over them, None where it has no loss."""

    def __init__(self, net: Any, losses: dict[str, str]):
        unknown = [blob for blob in losses.values() if blob not in net.blobs]
        if unknown:
            raise ValueError(f"score: the net has no loss {', '.join(unknown)}; there are {', '.join(net.blobs)}.")
        self.net, self.losses, self.images = net, losses, 0
        self.sums = dict.fromkeys(losses, 0.0)

    def __call__(self, images: int) -> None:
        self.images += images
        for label, blob in self.losses.items():
            self.sums[label] += images * float(self.net.blobs[blob].data)

    def of(self, label: str) -> float | None:
        return self.sums[label] / max(self.images, 1) if label in self.sums else None


def _net(net_file: str, weights: str) -> Any:
    try:
        return keep_no_blobs(load(net_file, weights))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}{seg11valid.remedy(error)}") from error


def _refinement(net: Any, given: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """By a dense CRF over the colours that the net sees."""
    chosen = crf.parameters(given)
    seen = [top for top in net.top_names[net._layer_names[0]] if net.blobs[top].shape[1:2] == (3,)]
    if not seen:
        raise ValueError("score: the data layer gives no blob of three channels, which --crf needs. Leave --crf out.")
    return lambda scores, item: crf.refined(scores, net.blobs[seen[0]].data[item].transpose(1, 2, 0), chosen)


def _names(path: str | None, net: Any, score: str) -> list[str] | None:
    """The names of the classes that a blob has scores of: those in a file, or those of the data set."""
    if score not in net.blobs:
        return None
    n_classes = net.blobs[score].shape[1]
    if path is None:
        return class_names(net.layers[0], n_classes)
    names = list(classes.read(path).names)
    if len(names) != n_classes:
        raise ValueError(f"'{path}' names {len(names)} classes, expected the net's {n_classes}.")
    return names


def _colours(path: str | None, net: Any) -> np.ndarray:
    """Those in a file of classes, or those of the data layer's own; else VOC's."""
    return legend.colours(path or (settings(net.layers[0]) or {}).get("classes_file"))


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.images is not None and options.images < 1:
        parser.error(f"--images is {options.images}, expected at least one")
    heads, net_file, weights = {options.label or "label": options.score or "score"}, options.net, options.weights
    losses = dict.fromkeys(heads, "loss")
    exclude_absent = bool(options.exclude_absent or options.ignore)
    if options.variant:
        nets = catalogue(options)
        row = nets.find(options.variant)
        weights = weights or str(trained.weights(row))
        if not net_file:
            nets.write(row)
            net_file = nets.net_file(row, row.data.val.file)
        if not (options.label or options.score):
            heads = {head.label: "score" + head.suffix for head in row.data.heads}
            losses = {head.label: head.loss for head in row.data.heads}
        if options.exclude_absent is None:
            exclude_absent |= row.data.module in ABSENT_EXCLUDED
    elif not (net_file and weights):
        parser.error("give a variant, or --net and --weights")
    program.quiet(caffe)
    use_device(options)
    net = _net(net_file, weights)
    mean_loss = MeanLoss(net, losses if options.loss else {})
    names = {label: _names(options.names, net, score) for label, score in heads.items()}
    colours = {label: _colours(options.names, net) for label in heads}
    refine = _refinement(net, options.crf) if options.crf else None
    hists = confusions(net, heads, options.images, options.save_dir, mean_loss, colours, refine)
    values = {}
    for label, counted in hists.items():
        hist, loss = metrics.without(counted, options.ignore), mean_loss.of(label)
        table = report(hist, exclude_absent, names[label], loss)
        print(table if len(hists) == 1 else f"{label}: {table}")
        values[label] = {
            **metrics.scores(hist, exclude_absent).as_dict(),
            "classes": names[label],
            "absent": metrics.absent(hist),
            "absent_excluded": exclude_absent,
            "loss": loss,
            "confusion": hist.tolist(),
        }
    if options.json:
        write_json(options.json, values if len(values) > 1 else next(iter(values.values())))
    return 0
