"""Check, without data, whether a net can run, and for which fork it was made.

The output lists the forks whose types and fields the net uses, missing layer types, unknown and refused fields, fields
and types with different meanings in different forks, and the layers for which a file has weights. The exit status is 1
if the net cannot run, or the weights do not fit.

    caffe check deploy.prototxt model.caffemodel
    caffe check train_val.prototxt --allow-unknown
"""

import argparse
import logging
from typing import Any

from caffe import registration
from caffe.cli.brew import find_python_layers
from caffe.errors import CaffeError
from caffe.net import examine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("net", help="the net's prototxt")
    parser.add_argument("weights", nargs="?", help="optional; a .caffemodel or HDF5 file")
    parser.add_argument(
        *("-allow-unknown", "--allow-unknown"),
        action="store_true",
        help="ignore unknown fields, instead of counting them as problems",
    )


def run(arguments: argparse.Namespace) -> int:
    registration.load_added()
    find_python_layers(arguments.net)
    found = examine.NetFindings()
    logger = logging.getLogger("caffe")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        net = _told(found, examine.read, arguments.net, arguments.allow_unknown, found)
        if net is not None:
            examine.words(net, found)
            examine.build(net, found)
            if arguments.weights:
                _told(found, examine.weights, arguments.weights, found)
    finally:
        logger.setLevel(level)
    for line in found.lines:
        print(line)
    for line in found.problems:
        print(f"Cannot run: {line}")
    print(f"{arguments.net}: {'cannot run' if found.problems else 'can run'}")
    return 1 if found.problems else 0


def _told(found: examine.NetFindings, do: Any, *arguments: Any) -> Any:
    try:
        return do(*arguments)
    except (CaffeError, OSError) as error:
        if str(error) not in found.problems:
            found.problems.append(str(error))
        return None
