"""The flag --input-size of `caffe export` and `caffe summary`."""

import argparse

from caffe.errors import UsageError
from caffe.net import Net


def add_flag(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--input-size", metavar="HxW", help=text)


def apply(net: Net, text: str | None) -> None:
    """Give the net's images this height and width, such as 500x375 or 224. Raises UsageError for anything else."""
    if text is None:
        return
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) not in (1, 2) or not all(part.isdigit() and int(part) for part in parts):
        raise UsageError(f"--input-size {text}: expected height and width, such as 500x375. Correct it.")
    images = [name for name in net.inputs if len(net.blobs[name].shape) == 4]
    if not images:
        raise UsageError("--input-size: the net has no input of four axes, expected an image. Leave it out.")
    for name in images:
        net.blobs[name].reshape(*net.blobs[name].shape[:2], int(parts[0]), int(parts[-1]))
    net.reshape()
