"""Compute the mean image of a database, for the mean_file of data layers.

OUTPUT_FILE is a binaryproto of 1 × channels × height × width; without one, only the means of the channels are shown.

    caffe compute_image_mean -backend lmdb train_lmdb mean.binaryproto
"""

import argparse

import numpy as np

from caffe.cli.bars import bar
from caffe.data import images
from caffe.data.batch_sources import parse_datum
from caffe.data.database import Database
from caffe.data.transformer import array_of
from caffe.errors import DataError
from caffe.formats import binaryproto
from caffe.log import log
from caffe.shapes import shape_text

_REPORT_EVERY = 10000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("database", metavar="INPUT_DB", help="a database of images of one size")
    parser.add_argument("output", metavar="OUTPUT_FILE", nargs="?", default="", help="the mean file to write")
    parser.add_argument(
        "-backend", "--backend", default="lmdb", help="the kind of database: lmdb or leveldb (default: 'lmdb')"
    )


def run(arguments: argparse.Namespace) -> int:
    mean = mean_image(Database(arguments.database, arguments.backend))
    if arguments.output:
        log.info("Write to %s", arguments.output)
        binaryproto.write(arguments.output, mean[None])
    log.info("Number of channels: %d", len(mean))
    for channel, values in enumerate(mean):
        log.info("mean_value channel [%d]: %g", channel, values.mean())
    return 0


def mean_image(database: Database) -> np.ndarray:
    """The mean of all images in a database, C×H×W float32. Raises DataError for none, or for several sizes."""
    log.info("Starting iteration")
    total: np.ndarray | None = None
    count = 0
    for key, value in bar(database, unit="image"):
        name = f"'{key.decode(errors='replace')}' of '{database.path}'"
        image = _image(value, name)
        total = np.zeros(image.shape) if total is None else total
        if image.shape != total.shape:
            raise DataError(
                f"{name} is {shape_text(image.shape)}, those before are {shape_text(total.shape)} "
                "(channels×height×width): "
                "Incorrect data field size. Convert the images with -resize_height and -resize_width."
            )
        total += image
        count += 1
        if count % _REPORT_EVERY == 0:
            log.info("Processed %d files.", count)
    if total is None:
        raise DataError(f"database '{database.path}' is empty. Fill it with `caffe convert_imageset`.")
    log.info("Processed %d files.", count)
    return (total / count).astype(np.float32)


def _image(value: bytes, name: str) -> np.ndarray:
    datum = parse_datum(value, name)
    if datum.encoded:
        return images.decode(datum.data, None, name).transpose(2, 0, 1)
    return array_of(datum, name)
