"""A database of images with boxes, as AnnotatedData reads it (SSD: tools/convert_annoset.cpp)."""

import os
import shutil
from collections.abc import Iterable

import numpy as np

from caffe.data.database import PathLike, new_database
from caffe.errors import DataError
from caffe.proto import caffe_pb2


def annotated(datum: caffe_pb2.Datum, rows: np.ndarray) -> caffe_pb2.AnnotatedDatum:
    """An image with its boxes. rows: (n, 7) class, instance, xmin, ymin, xmax, ymax as shares, difficult."""
    found = caffe_pb2.AnnotatedDatum(datum=datum, type=caffe_pb2.AnnotatedDatum.BBOX)
    groups: dict[int, caffe_pb2.AnnotationGroup] = {}
    for label, instance, xmin, ymin, xmax, ymax, difficult in np.asarray(rows, np.float32).reshape(-1, 7).tolist():
        if int(label) not in groups:
            groups[int(label)] = found.annotation_group.add(group_label=int(label))
        entry = groups[int(label)].annotation.add(instance_id=int(instance))
        box = entry.bbox
        box.xmin, box.ymin, box.xmax, box.ymax, box.difficult = xmin, ymin, xmax, ymax, bool(difficult)
    return found


def write(path: PathLike, items: Iterable[tuple[str, caffe_pb2.Datum, np.ndarray]], backend: str = "lmdb") -> int:
    """Write (name, image, boxes) into a new database, in this order; how many. An error leaves none.

    Raises DataError if something is there already, or if there are no items.
    """
    database, count = new_database(path, backend), 0
    try:
        with database:
            for name, datum, rows in items:
                key = f"{count:08d}_{name}".encode(errors="surrogateescape")
                database.put(key, annotated(datum, rows).SerializeToString())
                count += 1
            if not count:
                raise DataError(f"'{os.fspath(path)}': there are no images to write. Give at least one.")
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return count
