"""Make a database of images with boxes, for AnnotatedData layers.

LISTFILE names an image and its annotation on each line, both relative to ROOTFOLDER: PASCAL VOC's XML, a text file with
`class xmin ymin xmax ymax` in pixels on each line, or a label image, with a box around each connected region. XML needs
the classes' numbers: a label map like SSD's, `item { name: "cat" label: 1 }` for each.

    caffe convert_annoset -label_map_file labelmap.prototxt -encoded VOCdevkit/ trainval.txt trainval_lmdb
    caffe convert_annoset -label_type mask -encoded VOC2012/ train.txt train_lmdb
"""

import argparse
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from caffe.cli.convert_imageset import add_image_arguments, check_image_arguments, datum_of
from caffe.data import images, lists
from caffe.data.annotated import annotations, writer
from caffe.data.naming import naming
from caffe.data.random import Random, new_seed
from caffe.errors import DataError, UsageError
from caffe.log import log
from caffe.proto import caffe_pb2

KINDS = ("xml", "txt", "mask")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", metavar="ROOTFOLDER/", help="put before every path of the list, as it stands")
    parser.add_argument("list", metavar="LISTFILE", help="one image a line: path, space, path of its annotation")
    parser.add_argument("database", metavar="DB_NAME", help="the database to make; nothing may be there yet")
    add_image_arguments(parser)
    parser.add_argument(
        "-label_type", "--label_type", default="xml", choices=KINDS, help="what annotations are (default: 'xml')"
    )
    parser.add_argument(
        "-label_map_file",
        "--label_map_file",
        default="",
        metavar="FILE",
        help="the classes' names and numbers, for xml",
    )


def run(arguments: argparse.Namespace) -> int:
    check_image_arguments(arguments)
    if arguments.label_type == "xml" and not arguments.label_map_file:
        raise UsageError(
            "convert_annoset: -label_type xml needs -label_map_file, which says the classes' numbers. Give it."
        )
    names = annotations.label_map(arguments.label_map_file) if arguments.label_map_file else {}
    lines = []
    for number, line in lists.read_lines(arguments.list, f"Could not open {arguments.list}", "Correct LISTFILE."):
        words = line.split()
        if len(words) != 2:
            raise DataError(
                f"{arguments.list}:{number}: '{line.strip()}' found, expected an image and its annotation."
                " Correct the line."
            )
        lines.append((words[0], words[1]))
    if not lines:
        raise DataError(
            f"convert_annoset: File is empty: '{arguments.list}'. Expected `image annotation` a line."
            " Fill it, or name another list."
        )
    if arguments.shuffle:
        log.info("Shuffling data")
        Random(new_seed()).shuffle(lines)
    log.info("A total of %d images.", len(lines))
    count = writer.write(arguments.database, _items(lines, names, arguments), arguments.backend)
    log.info("Processed %d files.", count)
    return 0


def _items(
    lines: list[tuple[str, str]], names: dict[str, int], arguments: argparse.Namespace
) -> Iterator[tuple[str, caffe_pb2.Datum, np.ndarray]]:
    for path, annotation in tqdm(lines, unit="image", disable=None):
        with naming(f"convert_annoset, '{arguments.list}'"):
            datum = datum_of(path, 0, arguments)
            file = arguments.root + annotation
            if arguments.label_type == "xml":
                rows = annotations.of_xml(file, names)
            elif arguments.label_type == "mask":
                rows = annotations.of_mask(file)
            else:
                rows = annotations.of_text(file, *images.read(arguments.root + path).shape[:2])
        yield path, datum, rows
