"""Make a database of images, for Data layers.

LISTFILE names one image a line, relative to ROOTFOLDER, and its label after a space. Keys are the line's number and its
path, so a Data layer reads the images in the order of the list. An image that cannot be read is reported and left out.
If none can be read, or an error ends the conversion, there is no database.

    caffe convert_imageset -resize_height 256 -resize_width 256 -shuffle images/ train.txt train_lmdb
"""

import argparse
import io
import os
import shutil

import numpy as np
from PIL import Image

from caffe.cli.bars import bar
from caffe.data import images
from caffe.data.batch_sources import read_image_list
from caffe.data.database import DatabaseWriter, new_database
from caffe.data.random import Random, new_seed
from caffe.errors import DataError, UsageError
from caffe.log import log
from caffe.proto import caffe_pb2

_JPEG_QUALITY = 95


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", metavar="ROOTFOLDER/", help="put before every path of the list, as it stands")
    parser.add_argument("list", metavar="LISTFILE", help="one image a line: path, space, label")
    parser.add_argument("database", metavar="DB_NAME", help="the database to make; nothing may be there yet")
    _add_switch(parser, "check_size", "check that all images have the same size")
    add_image_arguments(parser)


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """How images are stored."""
    _add_switch(parser, "gray", "treat images as grayscale ones")
    _add_switch(parser, "shuffle", "randomly shuffle the order of images and their labels")
    _add_switch(parser, "encoded", "save the encoded image in the datum")
    for name, default, text in (
        ("backend", "lmdb", "the kind of database to make: lmdb or leveldb"),
        ("encode_type", "", "how to encode the images: png, jpg, ...; by default as their file names say"),
    ):
        parser.add_argument(f"-{name}", f"--{name}", default=default, help=f"{text} (default: '{default}')")
    for name in ("resize_height", "resize_width"):
        parser.add_argument(
            f"-{name}", f"--{name}", type=int, default=0, metavar="N", help="size to resize to (default: 0, as it is)"
        )


def _add_switch(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    """A flag as gflags takes it: -x, --x, -x=true, -x=false, -nox."""
    on = [f"{dash}{name}{value}" for value in ("", "=true", "=1") for dash in ("-", "--")]
    off = [f"{dash}{word}" for word in (f"{name}=false", f"{name}=0", f"no{name}") for dash in ("-", "--")]
    parser.add_argument(*on[:2], action="store_true", dest=name, help=text)
    parser.add_argument(*on[2:], action="store_true", dest=name, help=argparse.SUPPRESS)
    parser.add_argument(*off, action="store_false", dest=name, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    check_image_arguments(arguments)
    lines = read_image_list(arguments.list, "convert_imageset", arguments.root, "Correct LISTFILE.")
    if arguments.shuffle:
        log.info("Shuffling data")
        Random(new_seed()).shuffle(lines)
    log.info("A total of %d images.", len(lines))
    database = new_database(arguments.database, arguments.backend)
    try:
        with database:
            log.info("Opened %s %s", arguments.backend, arguments.database)
            count = _convert(lines, arguments, database)
    except BaseException:
        shutil.rmtree(arguments.database)
        raise
    log.info("Processed %d files.", count)
    return 0


def check_image_arguments(arguments: argparse.Namespace) -> None:
    """Warn of options that have no effect."""
    if bool(arguments.resize_height) != bool(arguments.resize_width):
        log.warning("-resize_height and -resize_width only count together: the images keep their sizes")
        arguments.resize_height = arguments.resize_width = 0
    if arguments.encode_type and not arguments.encoded:
        log.info("encode_type specified, assuming encoded=true.")


def _convert(lines: list[tuple[str, int]], arguments: argparse.Namespace, database: DatabaseWriter) -> int:
    """The number of images in the database. Raises DataError for none."""
    count, first_size = 0, 0
    for index, (path, label) in enumerate(bar(lines, unit="image")):
        try:
            datum = datum_of(path, label, arguments)
        except DataError as error:
            log.error("Could not open or find file %s: %s", arguments.root + path, error)
            continue
        size = len(datum.data)
        first_size = first_size or size
        if arguments.check_size and size != first_size:
            raise DataError(
                f"'{path}': Incorrect data field size {size}, the first image has {first_size}. "
                "Give -resize_height and -resize_width, or leave out -check_size."
            )
        database.put(f"{index:08d}_{path}".encode(errors="surrogateescape"), datum.SerializeToString())
        count += 1
    if not count:
        raise DataError(
            f"convert_imageset: none of the {len(lines)} images of '{arguments.list}' can be read, and no database is "
            f"left. Their paths, as the errors above have them, are ROOTFOLDER ('{arguments.root}') and what the list "
            "says, put together without anything between: correct one of the two."
        )
    return count


def datum_of(path: str, label: int, arguments: argparse.Namespace) -> caffe_pb2.Datum:
    """An image of the list as the options want it stored. Raises DataError."""
    file, color = arguments.root + path, not arguments.gray
    image = images.read(file, color)
    if arguments.resize_height:
        image = images.resize(image, arguments.resize_height, arguments.resize_width)
    extension = os.path.splitext(path)[1][1:].lower()
    encoding = arguments.encode_type or (extension if arguments.encoded else "")
    if not encoding:
        height, width, channels = image.shape
        data = image.transpose(2, 0, 1).tobytes()
        return caffe_pb2.Datum(channels=channels, height=height, width=width, data=data, label=label, encoded=False)
    same_kind = encoding == extension or (encoding, extension) == ("jpg", "jpeg")
    if color and not arguments.resize_height and same_kind:
        with open(file, "rb") as source:
            return caffe_pb2.Datum(data=source.read(), label=label, encoded=True)
    return caffe_pb2.Datum(data=_encode(image, encoding), label=label, encoded=True)


def _encode(image: np.ndarray, encoding: str) -> bytes:
    kind = Image.registered_extensions().get(f".{encoding}")
    if kind is None:
        raise UsageError(
            f"-encode_type {encoding}: unknown, expected the ending of an image file, such as jpg or png. Correct it."
        )
    content = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image[..., ::-1])
    picture.save(content, kind, **({"quality": _JPEG_QUALITY} if kind == "JPEG" else {}))
    return content.getvalue()
