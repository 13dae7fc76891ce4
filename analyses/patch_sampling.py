"""Patch sampling and whole images: a loss on some of the cells only (CVPR 2015, section 4.3, figure 5).

    python -m analyses patch_sampling                        the demo's FCN-32s, out/analyses/patch_sampling.png

A whole image is a batch of overlapping patches, one for each cell of the final layer. With sampling, each cell counts
with probability `keep`. As in the paper, an update then takes more images, so that the number of cells is the same: for
a `keep` of 1/4, four times as many images and as much time. The loss is the mean over pixels that count.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

import caffe
from analyses import experiment
from analyses.experiment import Trial
from analyses.loss_sampling import sample_loss
from fcn_caffe import program
from fcn_caffe.device_options import use_device
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.net_spec.recipes import Recipe
from fcn_caffe.variants.customise import everything

KEEPS = (1.0, 0.5, 0.25)


def trial(row: Variant, keep: float, batch: int, rate: float, updates: int) -> Trial:
    """A training whose updates see as many cells as `batch` whole images have, and `batch` / keep images."""
    recipe = Recipe(rate, updates, updates, momentum=0.9, iter_size=round(batch / keep), normalize=True)
    change = partial(sample_loss, keep=keep, cell=row.stride)
    name = "whole images" if keep == 1 else f"keep {keep:g}"
    return Trial(name, replace(row, recipe=recipe), updates, train=change)


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("--keep", nargs="+", type=float, default=KEEPS, help="default: 1 0.5 0.25")
    parser.add_argument("--batch", type=int, default=4, help="whole images an update (default: 4)")
    parser.add_argument("--rate", type=float, default=2e-3, help="base_lr (default: 2e-3)")
    parser.add_argument("--updates", type=int, default=150, help="of each training (default: 150)")
    experiment.add_options(parser, "patch_sampling")
    return parser


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if not all(0 < keep <= 1 for keep in options.keep):
        parser.error("--keep is a probability: give numbers above 0 and up to 1")
    program.quiet(caffe)
    use_device(options)
    row = everything().find(options.variant)
    trials = [trial(row, keep, options.batch, options.rate, options.updates) for keep in options.keep]
    axes = ("updates", "loss"), ("seconds", "loss"), ("seconds", "mean_iu")
    experiment.compare("patch_sampling", row, trials, axes, options)
    print(options.out)
    return 0
