"""Bring a net's prototxt of 2013 or 2014 to today's form.

caffe upgrade_net_proto_text old.prototxt new.prototxt
"""

import argparse

from caffe.cli import upgrading
from caffe.formats import prototxt, upgrade
from caffe.proto import caffe_pb2

add_arguments = upgrading.add_arguments


def run(arguments: argparse.Namespace) -> int:
    net = prototxt.parse(prototxt.read_text(arguments.input), caffe_pb2.NetParameter(), arguments.input)
    if not upgrade.needs_upgrade(net):
        upgrading.say_up_to_date(arguments.input)
    lossless = upgrade.upgrade_net(net, arguments.input)
    prototxt.write(arguments.output, net)
    return upgrading.say_written("NetParameter text proto", arguments.output, lossless=lossless)
