"""Bring a caffemodel of 2013 or 2014 to today's form."""

import argparse

from caffe.cli import upgrading
from caffe.formats import caffemodel, upgrade
from caffe.formats.atomic import open_atomic

add_arguments = upgrading.add_arguments


def run(arguments: argparse.Namespace) -> int:
    net = caffemodel.read_message(arguments.input)
    if not upgrade.needs_upgrade(net):
        upgrading.say_up_to_date(arguments.input)
    lossless = upgrade.upgrade_net(net, arguments.input)
    with open_atomic(arguments.output) as file:
        file.write(net.SerializeToString())
    return upgrading.say_written("NetParameter binary proto", arguments.output, lossless=lossless)
