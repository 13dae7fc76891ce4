"""Batch size and momentum: accumulated, online and heavy learning (PAMI 2016, section 4.4).

    python -m analyses momentum                              the demo's FCN-32s, out/analyses/momentum.png

accum    an update from the sum of 20 images' gradients, momentum 0.9     common practice
online   an update from each image, momentum 0.9
heavy    an update from each image, momentum 0.99                         the published nets

Each sees as many images, one learning rate. Gradients are summed, over the pixels of an image and the images of an
update, so that a momentum p with batches of k acts as long as p^(1/k) without: 0.9 with 20 images is 0.995 without.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import caffe
from analyses import experiment
from analyses.experiment import Trial
from fcn_caffe import program
from fcn_caffe.device_options import use_device
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.net_spec.recipes import Recipe
from fcn_caffe.variants.customise import everything

SETTINGS = {"accum": (20, 0.9), "online": (1, 0.9), "heavy": (1, 0.99)}
"""Images an update, and momentum."""

PUBLISHED = {
    "accum": (86.0, 66.5, 51.9, 76.5),
    "online": (89.3, 76.2, 60.7, 81.8),
    "heavy": (90.5, 76.5, 63.6, 83.5),
}
"""Pixel accuracy, mean accuracy, mean IU and frequency weighted IU of FCN-32s on seg11valid, in percent."""


def trial(row: Variant, name: str, rate: float, images: int) -> Trial:
    """A training by one of SETTINGS. Caffe divides the sum of an update by its images; the rate makes up for that."""
    batch, momentum = SETTINGS[name]
    updates = images // batch
    recipe = Recipe(rate * batch, updates, updates, momentum=momentum, iter_size=batch)
    return Trial(name, replace(row, recipe=recipe), updates)


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("--rate", type=float, default=3e-9, help="of an image's summed gradient (default: 3e-9)")
    parser.add_argument("--images", type=int, default=1000, help="that each training sees (default: 1000)")
    experiment.add_options(parser, "momentum")
    return parser


@program.command
def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    program.quiet(caffe)
    use_device(options)
    row = everything().find(options.variant)
    trials = [trial(row, name, options.rate, options.images) for name in SETTINGS]
    experiment.compare("momentum", row, trials, (("images", "loss"), ("images", "mean_iu")), options)
    print("\npublished (VGG16, VOC): pixel accuracy, mean accuracy, mean IU, f.w. IU, in percent")
    for name, numbers in PUBLISHED.items():
        print(f"{name:16} " + " ".join(f"{number:5.1f}" for number in numbers))
    print(options.out)
    return 0
