"""Code that the three upgrade commands share."""

import argparse

from caffe.log import log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", help="the file to read")
    parser.add_argument("output", help="the file to write")


def say_up_to_date(path: str) -> None:
    log.error("File already in latest proto format: %s", path)


def say_written(kind: str, path: str, *, lossless: bool = True) -> int:
    """The exit status: 1 when the upgrade lost something, which the log has named."""
    log.info("Wrote upgraded %s to %s", kind, path)
    return 0 if lossless else 1
