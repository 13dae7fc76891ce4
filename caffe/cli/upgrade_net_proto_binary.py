"""Bring a caffemodel of 2013 or 2014 to today's form.

caffe upgrade_net_proto_binary old.caffemodel new.caffemodel
"""

import argparse

from caffe.cli import upgrading
from caffe.formats import rewrite, wire
from caffe.formats.atomic import open_atomic

add_arguments = upgrading.add_arguments


def run(arguments: argparse.Namespace) -> int:
    pieces, changed, lossless = rewrite.upgraded(arguments.input)
    if not changed:
        upgrading.say_up_to_date(arguments.input)
    wire.check_size(pieces, arguments.output)
    with open_atomic(arguments.output) as file:
        file.writelines(pieces)
    return upgrading.say_written("NetParameter binary proto", arguments.output, lossless=lossless)
