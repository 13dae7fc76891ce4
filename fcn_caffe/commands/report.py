"""Writes a report on a training as one HTML file, which needs no network and no other files.

    fcn report voc-fcn8s                            with the stages before it, as far as they were trained here
    fcn report voc-fcn32s voc-fcn16s voc-fcn8s      these alone, in this order
    fcn report models/street-fcn8s --out street.html

Curves of loss and mean IU, the scores of every stage, IU by class, the confusion matrix, the best and the worst
validation images with truth, prediction and where they differ, and how it was made: commands, versions, machine,
time. fcn solve writes it at its end, to snapshot/VARIANT/report.html.
"""

from __future__ import annotations

import caffe
from fcn_caffe import home, program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.reporting import write
from fcn_caffe.variants.customise import everything


@program.command
def main(arguments: list[str]) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("trainings", nargs="+", metavar="TRAINING", help="a net, a task, or a snapshot folder")
    parser.add_argument(
        "--out", type=home.path, help="the file (default: report.html in the snapshot folder of the last training)"
    )
    parser.add_argument(
        "--images", type=int, default=write.IMAGES, metavar="N", help="show the N best and the N worst (default: 3)"
    )
    add_device_options(parser)
    options = parser.parse_args(arguments)
    if options.images < 0:
        parser.error("--images counts images: give 0 or more")
    program.quiet(caffe)
    use_device(options)
    print(write.write(options.trainings, everything(), options.out, options.images))
    return 0
