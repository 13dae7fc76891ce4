"""Draw a net: a picture (png, svg, pdf, …) by Graphviz, or the graph's text (.dot), as the output's ending says.

caffe draw_net train.prototxt net.png --rankdir TB
"""

import argparse

from caffe import draw
from caffe.errors import NetError
from caffe.formats import prototxt
from caffe.log import log
from caffe.proto import caffe_pb2

_PHASES = {"TRAIN": caffe_pb2.TRAIN, "TEST": caffe_pb2.TEST, "ALL": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input_net_proto_file", help="the net's prototxt")
    parser.add_argument("output_image_file", help="the picture to write")
    parser.add_argument(
        "--rankdir", default="LR", choices=("LR", "TB", "RL", "BT"), help="direction of the drawing (default: LR)"
    )
    parser.add_argument("--phase", default="ALL", choices=_PHASES, help="the layers of which phase (default: ALL)")
    parser.add_argument("--display_lrm", action="store_true", help="show the learning rate multipliers")


def run(arguments: argparse.Namespace) -> int:
    net = prototxt.read_net(arguments.input_net_proto_file)
    if not net.layer:
        raise NetError(f"'{arguments.input_net_proto_file}' has no layer, expected a net. Name its prototxt.")
    log.info("Drawing net to %s", arguments.output_image_file)
    phase = _PHASES[arguments.phase]
    draw.draw_net_to_file(net, arguments.output_image_file, arguments.rankdir, phase, arguments.display_lrm)
    return 0
