"""Makes the weights of a fully convolutional net out of a classification net's.

    fcn convolutionalize vgg16 VGG_ILSVRC_16_layers.caffemodel        of a base net, by its name
    fcn convolutionalize --net a.prototxt --weights a.caffemodel --conv-net b.prototxt --out b.caffemodel

The first writes data/ilsvrc/NET-conv.caffemodel, where the other tools look for it, or --out. Prints which parameters
were copied, coerced into convolution kernels, dropped, and left as they were.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
from fcn_caffe import home, program
from fcn_caffe.net_spec.catalogue import BACKBONES
from fcn_caffe.variants import convolutional, stages


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("base", nargs="?", choices=BACKBONES, metavar="NET", help=f"one of {', '.join(BACKBONES)}")
    parser.add_argument("file", nargs="?", type=home.text, metavar="WEIGHTS", help="its weights (.caffemodel or .h5)")
    group = parser.add_argument_group("any other net")
    group.add_argument("--net", type=home.text, help="prototxt of the classification net")
    group.add_argument("--weights", type=home.text, help="its weights (.caffemodel or .h5)")
    group.add_argument("--conv-net", type=home.text, help="prototxt of its fully convolutional twin")
    group.add_argument(
        "--suffix", default="", help="what the twin adds to the names of fully connected layers, such as -conv"
    )
    parser.add_argument("--out", type=home.path, help="weights to write (.caffemodel)")
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    program.quiet(caffe)
    if options.base and options.file:
        name, _ = BACKBONES[options.base]
        net, out = convolutional.of_catalogue(name, options.file), options.out or stages.weights_of(name)
    elif options.net and options.weights and options.conv_net and options.out:
        net = convolutional.of_files(options.net, options.weights, options.conv_net, options.suffix)
        out = options.out
    else:
        parser.error("give a base net and its weights, or all of --net, --weights, --conv-net and --out")
    if out.resolve() == Path(options.file or options.weights).resolve():
        raise ValueError(f"'{out}' would be written over itself. Name another file with --out.")
    out.parent.mkdir(parents=True, exist_ok=True)
    net.save(str(out))
    print(f"wrote {out}")
    return 0
