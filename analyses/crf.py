"""A dense CRF after an FCN, and trained with it (CRF as RNN, ICCV 2015, table 1), with three controls.

    python -m analyses crf                      the demo's FCN-32s, three seeds

plain            the FCN as it was trained
more updates     as many further updates as below, without a CRF                    a control
faster           the same at the rate of the net's own stage                         a control
disconnected     the plain net's scores through a CRF that nothing has learned
CRF alone        the CRF learns, the net does not                                   a control
end to end       both learn

The CRF's deviations are chosen for the disconnected one, among a few pairs, on --images images of the training split;
all others start from the same. The net has the learning rate of the row, except in `faster`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import caffe
from analyses import experiment
from analyses.experiment import Trial
from fcn_caffe import program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.crfrnn import CrfRnn
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring.confusions import confusions
from fcn_caffe.variants import stages
from fcn_caffe.variants.build import build

SETTINGS = ((160.0, 3.0), (80.0, 13.0), (40.0, 20.0), (40.0, 10.0), (20.0, 10.0))
"""theta_alpha (pixels) and theta_beta (colours): those of the papers, and some for small images."""
PUBLISHED = {"plain": 61.3, "disconnected": 63.7, "end to end": 69.6}
"""Mean IU of FCN-8s on 346 images of VOC 2012's val, in percent."""
KEYS = ("mean_iu", "pixel_accuracy")


def scores(row: Variant, weights: Path, images: int | None = None) -> dict[str, Any]:
    """The metrics of the row's net with these weights. images: score this many images of the training split instead.

    Parameters that the weights lack, such as a CRF's, keep their initial values.
    """
    if images:
        train = {**row.data.train.params, "randomize": False}
        row = replace(row, data=replace(row.data, val=replace(row.data.val, layer=row.data.train.layer, params=train)))
    net = build(row.net(row.data.val.file), str(weights))
    if images:
        net.layers[0].indices = net.layers[0].indices[:images]
    return metrics.scores(confusions(net, {"label": "score"})["label"]).as_dict()


def chosen(row: CrfRnn, weights: Path, settings: Sequence[tuple[float, float]], images: int) -> CrfRnn:
    """The row with the settings that score best on images of the training split, with the CRF disconnected."""
    tried = {}
    for setting in settings:
        each = replace(row, theta=(*setting, row.theta[2]))
        tried[setting] = scores(each, weights, images)["mean_iu"]
        alpha, beta = setting
        print(f"{images} training images, theta {alpha:g}, {beta:g}: mean IU {tried[setting]:.4f}", flush=True)
    best = max(tried, key=lambda setting: tried[setting])
    return replace(row, theta=(*best, row.theta[2]))


def trials(row: CrfRnn, updates: int) -> list[Trial]:
    """The trainings."""
    (start,) = row.starts
    plain = replace(ROWS[start], recipe=row.recipe, starts=row.starts)
    return [
        Trial("more updates", plain, updates),
        Trial("faster", replace(plain, recipe=ROWS[start].recipe), updates),
        Trial("CRF alone", replace(row, net_learns=False), updates),
        Trial("end to end", row, updates),
    ]


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Means over the seeds, and the lowest and the highest mean IU."""
    lines = [f"{'':14} {'mean IU':>8} {'lowest – highest':>18} {'pixel acc.':>10} {'published mean IU':>18}"]
    for name, ends in found.items():
        iu, pixel = (sum(end[key] for end in ends) / len(ends) for key in KEYS)
        each = [end["mean_iu"] for end in ends]
        spread = f"{min(each):.4f} – {max(each):.4f}" if len(ends) > 1 else ""
        published = f"{PUBLISHED[name]:.1f}" if name in PUBLISHED else ""
        lines.append(f"{name:14} {iu:8.4f} {spread:>18} {pixel:10.4f} {published:>18}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variant", nargs="?", default="demo-fcn32s-crfrnn", help="a row with a CRF (the demo's 32s)")
    parser.add_argument("--updates", type=int, default=100, help="of each training (default: 100)")
    parser.add_argument("--images", type=int, default=30, help="training images to choose by (default: 30)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="a training for each (default: 1 2 3)")
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    program.quiet(caffe)
    use_device(options)
    row = ROWS.get(options.variant)
    if not isinstance(row, CrfRnn):
        names = ", ".join(name for name, each in ROWS.items() if isinstance(each, CrfRnn))
        parser.error(f"{options.variant} has no CRF, expected one of {names}")
    (start,) = row.starts
    weights = stages.trained_weights(start)
    row = chosen(row, weights, SETTINGS, options.images)
    found = {"plain": [scores(ROWS[start], weights)], "disconnected": [scores(row, weights)]}
    folder = experiment.OUT / "crf" / row.name
    for trial in trials(row, options.updates):
        found[trial.name] = [experiment.run(trial, folder, seed, 1)[-1] for seed in options.seeds]
    order = ("plain", "more updates", "faster", "disconnected", "CRF alone", "end to end")
    print(table({name: found[name] for name in order}))
    return 0
