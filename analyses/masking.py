"""What a net sees by: its scores where foreground or background is masked in the input (PAMI 2016, section 6.1).

    python -m analyses masking voc7-fcn8s-squeezenet               a net trained on whole images, masked as it is tested
    python -m analyses masking demo-fcn32s --train --updates 400   the paper's table: trained masked, too

reference      trained and tested on whole images       FG-only    background masked in training and test
reference-FG   … tested with the background masked      BG-only    foreground masked in training and test
reference-BG   … tested with the foreground masked      shape      both masked: the input is where the foreground is

Masked pixels have the mean colour: 0, after the mean is subtracted. Void goes with the foreground. Scores are those of
all classes, and mean IU without background: no pixel counts that is background, in truth or prediction (– if none is
left). The paper's are without background, it does not say how exactly; they are of VGG16's FCN-32s on PASCAL VOC.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

import caffe
from analyses import experiment
from analyses.experiment import Trial
from caffe.proto import caffe_pb2
from fcn_caffe import program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring.confusions import confusions
from fcn_caffe.variants import stages
from fcn_caffe.variants.build import build
from fcn_caffe.variants.customise import everything

EVERYTHING, FOREGROUND, BACKGROUND, SHAPE = "everything", "foreground", "background", "shape"
CONDITIONS = {
    "reference": (EVERYTHING, EVERYTHING),
    "reference-FG": (EVERYTHING, FOREGROUND),
    "reference-BG": (EVERYTHING, BACKGROUND),
    "FG-only": (FOREGROUND, FOREGROUND),
    "BG-only": (BACKGROUND, BACKGROUND),
    "shape": (SHAPE, SHAPE),
}
"""What is to be seen in training, and in the test."""

PUBLISHED = dict(zip(CONDITIONS, (84.8, 81.0, 19.8, 76.1, 37.8, 29.1)))
"""Mean IU without background, in percent (PAMI 2016, table 8)."""


def masked(net: Any, seen: str) -> Any:
    """The net with what is not `seen` masked in its input by its labels, in layers of Caffe's own."""
    if seen == EVERYTHING:
        return net
    made = caffe_pb2.NetParameter()
    made.CopyFrom(net)
    data, *others = made.layer
    for layer in others:
        layer.bottom[:] = ["data_seen" if bottom == "data" else bottom for bottom in layer.bottom]
    foreground = _layer("Threshold", "label", "foreground")
    foreground.threshold_param.threshold = 0.5
    level = _layer("Power", "foreground", "level")
    channels = _layer("Tile", "level", "channels" if seen != SHAPE else "data_seen")
    channels.tile_param.tiles = 3
    parts = [foreground, level, channels]
    if seen == SHAPE:
        level.power_param.scale, level.power_param.shift = 255, -127.5
    else:
        if seen == BACKGROUND:
            level.power_param.scale, level.power_param.shift = -1, 1
        product = _layer("Eltwise", "data", "data_seen")
        product.bottom.append("channels")
        product.eltwise_param.operation = caffe_pb2.EltwiseParameter.PROD
        parts.append(product)
    kept = [data, *parts, *others]
    del made.layer[:]
    made.layer.extend(kept)
    return made


def _layer(kind: str, bottom: str, top: str) -> Any:
    return caffe_pb2.LayerParameter(name=top, type=kind, bottom=[bottom], top=[top])


def score(row: Variant, seen: str, weights: str) -> np.ndarray:
    """The confusion matrix of a variant over its validation images, of which only `seen` is to be seen."""
    net = build(masked(row.net(row.data.val.file), seen), weights)
    return confusions(net, {"label": "score"}, row.data.val.images)["label"]


def trained(row: Variant, seen: str, updates: int, seed: int) -> str:
    """The weights of a short training of which only `seen` is to be seen."""
    change = partial(masked, seen=seen)
    trial, folder = Trial(seen, row, updates, change, change), experiment.OUT / "masking" / row.name
    experiment.run(trial, folder, seed, scorings=1)
    return str(experiment.place(trial, folder, seed) / "trained.caffemodel")


def table(hists: dict[str, np.ndarray]) -> str:
    """A row a condition."""
    metric = f"{'pixel acc.':>10} {'mean acc.':>10} {'mean IU':>10} {'without background':>19}"
    lines = [f"{'':13} {'train':11} {'test':11} {metric}   published"]
    for name, hist in hists.items():
        train, test = CONDITIONS[name]
        found, without = metrics.scores(hist), metrics.scores(hist[1:, 1:]).mean_iu
        lines.append(
            f"{name:13} {train:11} {test:11} {found.pixel_accuracy:10.4f} {found.mean_accuracy:10.4f} "
            f"{found.mean_iu:10.4f} {'–' if np.isnan(without) else format(without, '.4f'):>19} {PUBLISHED[name]:11.1f}"
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variant", help="a net of the catalogue")
    parser.add_argument("--weights", help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--train", action="store_true", help="train a net for each condition, in out/analyses/masking/")
    parser.add_argument("--updates", type=int, help="of each training (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=1, help="of the trainings (default: 1)")
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    program.quiet(caffe)
    use_device(options)
    row = everything().find(options.variant)
    hists = {}
    for name, (train, test) in CONDITIONS.items():
        if options.train:
            weights = trained(row, train, options.updates or row.recipe.iterations, options.seed)
        elif train == EVERYTHING:
            weights = options.weights or str(stages.trained_weights(row.name))
        else:
            continue
        hists[name] = score(row, test, weights)
    print(table(hists))
    return 0
