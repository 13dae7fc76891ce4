"""Endless batches from a database or from image files, which the prefetching layers read.

A BatchSource knows the shape of a batch's data before the first one is made, and gives batches forever: tuples of a
float32 array N×C×H×W, one of N labels, and what to call each image. Images are decoded by several threads if they may
be; crops and mirrors are drawn in the images' order. A source holds no layer, so that the thread that runs it keeps
none alive.
"""

import os
import re
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from google.protobuf.message import DecodeError

from caffe import ranks
from caffe.data import images, lists
from caffe.data.database import Database
from caffe.data.naming import naming
from caffe.data.prefetch import in_order
from caffe.data.random import Random, new_seed
from caffe.data.transformer import DataTransformer
from caffe.errors import DataError, NetError
from caffe.formats.blobproto import MAX_COUNT
from caffe.limits import check_count
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.shapes import Shape, shape_text

Batch = tuple[np.ndarray, np.ndarray, list[str]]

_LABEL_DIGITS = 100


class BatchSource(Protocol):
    shape: Shape
    """N×C×H×W."""

    def batches(self, *, threads: bool) -> Iterator[Batch]: ...


class DatabaseSource:
    """Datums in the order of their keys; the first of a batch says its size (src/caffe/layers/data_layer.cpp)."""

    def __init__(self, param: caffe_pb2.DataParameter, transformer: DataTransformer):
        self._transformer = transformer
        self._batch_size = check_batch_size(param.batch_size, transformer.owner)
        with naming(transformer.owner):
            self._database = Database(param.source, caffe_pb2.DataParameter.DB.Name(param.backend).lower())
            first = next(iter(self._database), None)
            if first is None:
                raise DataError(f"database '{param.source}' is empty. Fill it with `caffe convert_imageset`.")
            image, _, name = self._decoded(first)
            self._compressed: bool = parse_datum(first[1], name).encoded
        self.shape: Shape = (self._batch_size, *transformer.top_shape(image.shape, name))

    def _decoded(self, record: tuple[bytes, bytes]) -> tuple[np.ndarray, int, str]:
        """The image, its label, and what to call it."""
        key, value = record
        name = f"'{key.decode(errors='replace')}' of '{self._database.path}'"
        datum = parse_datum(value, name)
        return self._transformer.from_datum(datum, name), datum.label, name

    def _forever(self) -> Iterator[tuple[bytes, bytes]]:
        while True:
            yield from self._database
            log.info("Restarting data prefetching from start.")

    def _images(self, *, threads: bool) -> Iterator[tuple[np.ndarray, int, str]]:
        with naming(self._transformer.owner):
            records = ranks.shared_out(self._forever(), self._transformer.phase)
            yield from in_order(self._decoded, records, threads=threads and self._compressed)

    def batches(self, *, threads: bool) -> Iterator[Batch]:
        return batched(self._images(threads=threads), self._batch_size, self._transformer)


class ImageListSource:
    """Image files named in a text file, `path label` a line (src/caffe/layers/image_data_layer.cpp)."""

    def __init__(self, param: caffe_pb2.ImageDataParameter, transformer: DataTransformer):
        self._param = param
        self._transformer = transformer
        if bool(param.new_height) != bool(param.new_width):
            raise NetError(
                f"{transformer.owner}: new_height is {param.new_height}, new_width is {param.new_width}. Current "
                "implementation requires new_height and new_width to be set at the same time."
            )
        size = (param.batch_size, 3, param.new_height, param.new_width)
        check_count(size, "a batch of images", transformer.owner, "batch_size, new_height or new_width")
        log.info("Opening file %s", param.source)
        self._lines = read_image_list(param.source, transformer.owner, param.root_folder)
        self._random: Random | None = None
        if param.shuffle:
            log.info("Shuffling data")
            self._random = Random(new_seed())
            self._random.shuffle(self._lines)
        log.info("A total of %d images.", len(self._lines))
        self._next = 0
        if param.rand_skip:
            self._next = new_seed() % param.rand_skip
            log.info("Skipping first %d data points.", self._next)
            if self._next >= len(self._lines):
                raise DataError(
                    f"{transformer.owner}: Not enough points to skip: {self._next} of the {len(self._lines)} in "
                    f"'{param.source}'. Lower rand_skip."
                )
        self._batch_size = check_batch_size(param.batch_size, transformer.owner)
        image, _, name = self._read(self._lines[self._next])
        self.shape: Shape = (self._batch_size, *transformer.top_shape(image.shape, name))

    def _read(self, line: tuple[str, int]) -> tuple[np.ndarray, int, str]:
        path, label = line
        with naming(f"{self._transformer.owner}, '{self._param.source}'"):
            image = images.read(self._param.root_folder + path, self._param.is_color)
        if self._param.new_height:
            image = images.resize(image, self._param.new_height, self._param.new_width)
        return image.transpose(2, 0, 1), label, f"'{path}'"

    def _forever(self) -> Iterator[tuple[str, int]]:
        while True:
            yield self._lines[self._next]
            self._next += 1
            if self._next == len(self._lines):
                self._next = 0
                if self._random is not None:
                    self._random.shuffle(self._lines)

    def batches(self, *, threads: bool) -> Iterator[Batch]:
        lines = self._forever()
        if self._random is None:  # else each of several solvers has an order of its own
            lines = ranks.shared_out(lines, self._transformer.phase)
        return batched(in_order(self._read, lines, threads=threads), self._batch_size, self._transformer)


def batched(items: Iterator[tuple[np.ndarray, int, str]], size: int, transformer: DataTransformer) -> Iterator[Batch]:
    """Transformed images in batches; the first image of a batch decides its height and width."""
    while True:
        data = np.empty(0, np.float32)
        labels = np.empty(size, np.float32)
        names = []
        for index in range(size):
            image, labels[index], name = next(items)
            names.append(name)
            values = transformer.apply(image, name)
            if index == 0:
                data = np.empty((size, *values.shape), np.float32)
            if values.shape != data.shape[1:]:
                raise DataError(
                    f"{transformer.owner}: {name} is {shape_text(values.shape)}, the first of its batch is "
                    f"{shape_text(data.shape[1:])} "
                    "(channels×height×width). Give all images one size, use crop_size, or batch_size: 1."
                )
            data[index] = values
        yield data, labels, names


def parse_datum(value: bytes, name: str) -> caffe_pb2.Datum:
    """The Datum in a database's value. Raises DataError."""
    try:
        return caffe_pb2.Datum.FromString(value)
    except DecodeError as error:
        raise DataError(
            f"{name} is not a Datum message. Make the database again with `caffe convert_imageset`."
        ) from error


def check_batch_size(size: int, owner: str) -> int:
    if size <= 0:
        raise NetError(f"{owner}: batch_size is {size}. Positive batch size required. Set it.")
    return size


def read_image_list(path: str, owner: str, root: str = "", remedy: str = "Correct `source`.") -> list[tuple[str, int]]:
    """The (path, label) of each line: the label is the number after the last space. Raises DataError.

    remedy: what whoever named the list is to do if it cannot be opened.
    """
    with naming(owner):
        lines = lists.read_lines(path, f"Could not open {path}", remedy)
        found = []
        for number, line in lines:
            found.append(_path_and_label(line, f"{path}:{number}", root))
            lists.check_name(root + found[-1][0], f"{path}:{number}")
    if not found:
        raise DataError(
            f"{owner}: File is empty: '{path}'. Expected one image a line: path, space, label."
            " Fill it, or name another list."
        )
    return found


def _path_and_label(line: str, place: str, root: str) -> tuple[str, int]:
    path, space, label = line.rstrip().rpartition(" ")
    if not space:
        path, label = label, "0"
    label = label.lstrip()
    number = re.match(r"[+-]?\d+", label)
    if "\t" in (path if number else line) and not os.path.exists(root + path):
        raise DataError(
            f"{place}: {line.strip()!r} has a tab, expected path, space, label: the path ends at the last space. Put a "
            "space in place of the tab."
        )
    if number is None:
        raise DataError(
            f"{place}: label '{label}' found, expected a whole number after the last space. Correct the line."
        )
    if len(number.group()) > _LABEL_DIGITS or abs(int(number.group())) > MAX_COUNT:
        shown = label if len(label) < 20 else f"{label[:20]}… ({len(label)} characters)"
        raise DataError(f"{place}: '{path}' has the label {shown}, expected at most {MAX_COUNT:,}. Correct the list.")
    return path, int(number.group())
