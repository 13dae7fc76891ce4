"""List a net's layers: their outputs' shapes, parameters, multiplications, and receptive fields.

MACs are multiplications by weights, each with an addition, of one forward pass. Position p of a map sees `field` pixels
of the input around pixel stride · p + offset; "-" means the whole input, or unknown.

    caffe summary deploy.prototxt
    caffe summary train_val.prototxt --phase TRAIN
    caffe summary deploy.prototxt --input-size 500x375
"""

import argparse

from caffe.cli import brew, input_size
from caffe.net import Net
from caffe.net.summary import text
from caffe.proto import caffe_pb2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the net's prototxt")
    parser.add_argument("--phase", default="TEST", choices=("TRAIN", "TEST"), help="whose layers (default: TEST)")
    input_size.add_flag(parser, "height and width of the images (default: the prototxt's)")


def run(arguments: argparse.Namespace) -> int:
    brew.find_python_layers(arguments.model)
    net = Net(arguments.model, getattr(caffe_pb2, arguments.phase))
    input_size.apply(net, arguments.input_size)
    print(text(net))
    return 0
