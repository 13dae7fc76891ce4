"""What a net knows that learns from tags: which classes an image has, and where they are.

    python -m analyses tags voc7-ccnn start newest           its initial weights, and its newest snapshot
    python -m analyses tags voc7-ccnn my.caffemodel          weights from a file

recognized   images whose most probable class, on average over the pixels and without background, is one of their tags
found        pairs of a foreground and a background pixel of the same image of which the foreground pixel has the lower
             probability of background, a mean over images (the area under the ROC curve); .5 for a guess

CCNN may raise the first and lower the second: the probability of classes that the image does not have, which is highest
on objects, goes to its tags in proportion to their own, and most of it to the background.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import caffe
from fcn_caffe import program
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.data_layers.tag_layers import log_softmax
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring.confusions import confusions
from fcn_caffe.training.initial import initialise
from fcn_caffe.variants import stages
from fcn_caffe.variants.build import build
from fcn_caffe.variants.customise import everything

START, NEWEST = "start", "newest"
STEP = 8
"""Every so many-th pixel along each axis is looked at."""


def recognized(probabilities: np.ndarray, label: np.ndarray) -> bool | None:
    """Whether the class that is most probable, without background, is in the label; None for a label of background
    alone. probabilities: classes×height×width; label: height×width.
    """
    tags = set(np.unique(label).tolist()) - {0, VOID}
    return int(probabilities[1:].mean((1, 2)).argmax()) + 1 in tags if tags else None


def found(probabilities: np.ndarray, label: np.ndarray) -> float | None:
    """The share of pairs of a foreground and a background pixel that the probability of background orders rightly, of
    equal ones a half; None without such pairs.
    """
    background = np.sort(probabilities[0][label == 0])
    foreground = probabilities[0][(label != 0) & (label != VOID)]
    if not (len(background) and len(foreground)):
        return None
    below, upto = (np.searchsorted(background, foreground, side) for side in ("left", "right"))
    return float(1 - (below + upto).mean() / 2 / len(background))


class Knowledge:
    """Collects both of the images that a net runs over."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.recognized: list[float | None] = []
        self.found: list[float | None] = []

    def __call__(self, items: int) -> None:
        for item in range(items):
            scores = self.net.blobs["score"].data[item][:, ::STEP, ::STEP].astype(np.float64)
            label = self.net.blobs["label"].data[item, 0, ::STEP, ::STEP].astype(int)
            probabilities = np.exp(log_softmax(scores))
            self.recognized.append(recognized(probabilities, label))
            self.found.append(found(probabilities, label))


def _mean(values: list[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


def line(row: Variant, weights: str) -> str:
    """A row of the table, of weights in a file, of the variant's newest snapshot, or of its start."""
    net = build(row.net(row.data.val.file))
    if weights == START:
        initialise(net, row, everything().rows, [stages.weights_of(start) for start in row.starts], allow_zero=True)
    else:
        net.copy_from(str(stages.trained_weights(row.name) if weights == NEWEST else Path(weights)))
    known = Knowledge(net)
    hist = confusions(net, {"label": "score"}, row.data.val.images, after_forward=known)["label"]
    scores = metrics.scores(hist)
    return (
        f"{weights:28} {scores.mean_iu:8.4f} {scores.pixel_accuracy:11.4f} {_mean(known.recognized):11.3f} "
        f"{_mean(known.found):7.3f}"
    )


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("variant", help="a net of the catalogue, with one head")
    parser.add_argument("weights", nargs="+", help=f"caffemodels; {START}: the initial ones; {NEWEST}: of its training")
    add_device_options(parser)
    options = parser.parse_args(arguments)
    program.quiet(caffe)
    use_device(options)
    row = everything().find(options.variant)
    lines = [line(row, weights) for weights in options.weights]
    print(f"{'weights':28} {'mean IU':>8} {'pixel acc.':>11} {'recognized':>11} {'found':>7}", *lines, sep="\n")
    return 0
