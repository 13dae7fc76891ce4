"""Draw a net: a picture (png, svg, pdf, …) by Graphviz, or the graph's text (.dot), by the output's extension.

With --compact, in-place layers are merged with the one before them, and arrows from top to bottom show shapes.

    caffe draw_net train.prototxt net.png --rankdir TB
    caffe draw_net deploy.prototxt net.png --compact
"""

import argparse

from caffe import draw
from caffe.cli import brew
from caffe.errors import NetError
from caffe.formats import prototxt
from caffe.log import log
from caffe.net import Net
from caffe.net.drawing import compact_text
from caffe.proto import caffe_pb2

_PHASES = {"TRAIN": caffe_pb2.TRAIN, "TEST": caffe_pb2.TEST, "ALL": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input_net_proto_file", help="the net's prototxt")
    parser.add_argument("output_image_file", help="the picture to write")
    parser.add_argument(
        "--rankdir",
        choices=("LR", "TB", "RL", "BT"),
        help="direction of the drawing (default: LR; with --compact TB)",
    )
    parser.add_argument("--phase", default="ALL", choices=_PHASES, help="the layers of which phase (default: ALL)")
    parser.add_argument("--compact", action="store_true", help="merge in-place layers, and show shapes (phase TEST)")
    parser.add_argument("--display_lrm", action="store_true", help="show the learning rate multipliers")


def run(arguments: argparse.Namespace) -> int:
    net = prototxt.read_net(arguments.input_net_proto_file)
    if not net.layer:
        raise NetError(f"'{arguments.input_net_proto_file}' has no layer, expected a net. Name its prototxt.")
    log.info("Drawing net to %s", arguments.output_image_file)
    phase = _PHASES[arguments.phase]
    if arguments.compact:
        brew.find_python_layers(arguments.input_net_proto_file)
        built = Net(arguments.input_net_proto_file, caffe_pb2.TEST if phase is None else phase)
        draw.write_picture(compact_text(built, arguments.rankdir or "TB"), arguments.output_image_file)
        return 0
    draw.draw_net_to_file(net, arguments.output_image_file, arguments.rankdir or "LR", phase, arguments.display_lrm)
    return 0
