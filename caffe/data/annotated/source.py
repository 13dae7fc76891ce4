"""Endless batches out of a database of images with boxes (SSD: src/caffe/layers/annotated_data_layer.cpp)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from caffe import ranks
from caffe.data.annotated import distortion, resizing, sampling
from caffe.data.batch_sources import Batch, check_batch_size
from caffe.data.database import Database
from caffe.data.naming import naming
from caffe.data.prefetch import in_order
from caffe.data.random import Random, new_seed
from caffe.data.transformer import DataTransformer
from caffe.errors import DataError, NetError
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.shapes import Shape, shape_text

COLUMNS = 8
"""Image in the batch, class, instance, xmin, ymin, xmax, ymax, difficult."""


@dataclass
class AnnotatedImage:
    """An image, H×W×C uint8, its boxes, the label of its Datum, and what to call it."""

    image: np.ndarray
    rows: np.ndarray
    label: int
    name: str


def items(source: str, backend: str, owner: str) -> Iterator[AnnotatedImage]:
    """What a database holds, once, in colour. `owner` names the layer in errors."""
    transformer = DataTransformer(caffe_pb2.TransformationParameter(force_color=True), caffe_pb2.TEST, owner)
    with naming(owner):
        for record in Database(source, backend):
            yield _item(record, source, transformer)


def _item(record: tuple[bytes, bytes], path: str, transformer: DataTransformer) -> AnnotatedImage:
    name = f"'{record[0].decode(errors='replace')}' of '{path}'"
    stored = _parsed(record[1], name)
    image = transformer.from_datum(stored.datum, name).transpose(1, 2, 0)
    if image.dtype != np.uint8:
        raise DataError(f"{name} holds float_data, expected bytes or an encoded image. Write the database again.")
    return AnnotatedImage(image, _rows(stored), stored.datum.label, name)


class AnnotatedSource:
    """AnnotatedDatums in the order of their keys, distorted, expanded, sampled, resized and cropped."""

    def __init__(self, layer_param: Any, transformer: DataTransformer):
        data, self._transform = layer_param.data_param, layer_param.transform_param
        self._samplers = list(layer_param.annotated_data_param.batch_sampler)
        self._transformer, self._owner = transformer, transformer.owner
        self._batch_size = check_batch_size(data.batch_size, self._owner)
        self._check()
        with naming(self._owner):
            self._database = Database(data.source, caffe_pb2.DataParameter.DB.Name(data.backend).lower())
            record = next(iter(self._database), None)
            if record is None:
                raise DataError(f"database '{data.source}' is empty. Fill it with `caffe convert_annoset`.")
            first = self._decoded(record)
            stored = _parsed(record[1], first.name)
        self._compressed: bool = stored.datum.encoded
        self.has_boxes = stored.HasField("type") or layer_param.annotated_data_param.HasField("anno_type")
        if self._transform.resize_param:
            resizing.check(self._resize, first.image.shape[2], self._owner)
        self._draw = Random(new_seed())
        height, width, channels = first.image.shape
        if self._transform.resize_param:
            height, width = resizing.size_of(self._resize, height, width)
            if self._resize.resize_mode == resizing.Resize.FIT_LARGE_SIZE_AND_PAD:
                height, width = self._resize.height, self._resize.width
        self.shape: Shape = (self._batch_size, *transformer.top_shape((channels, height, width), first.name))
        self.label_shape: Shape = (1, 1, max(len(first.rows), 1), COLUMNS) if self.has_boxes else (self._batch_size,)

    @property
    def _resize(self) -> Any:
        return self._transform.resize_param[0]

    def _check(self) -> None:
        transform, count = self._transform, len(self._transform.resize_param)
        if count > 1 or transform.HasField("noise_param"):
            raise NetError(
                f"{self._owner}: transform_param has {count} resize_params, expected one at most; noise_param is not "
                "implemented. Remove what is too much."
            )
        fits_small = count and self._resize.resize_mode == resizing.Resize.FIT_SMALL_SIZE
        if fits_small and (self._batch_size > 1 or self._resize.height_scale or self._resize.width_scale):
            raise NetError(
                f"{self._owner}: batch_size is {self._batch_size}: Only support batch size of 1 for FIT_SMALL_SIZE, "
                "without height_scale and width_scale. Correct them."
            )
        sampling.check(self._samplers, self._owner)
        distortion.check(transform, self._owner)

    def _decoded(self, record: tuple[bytes, bytes]) -> AnnotatedImage:
        return _item(record, self._database.path, self._transformer)

    def _forever(self) -> Iterator[tuple[bytes, bytes]]:
        while True:
            yield from self._database
            log.info("Restarting data prefetching from start.")

    def _items(self, *, threads: bool) -> Iterator[AnnotatedImage]:
        with naming(self._owner):
            records = ranks.shared_out(self._forever(), self._transformer.phase)
            yield from in_order(self._decoded, records, threads=threads and self._compressed)

    def batches(self, *, threads: bool) -> Iterator[Batch]:
        items = self._items(threads=threads)
        while True:
            values: list[np.ndarray] = []
            rows, labels, names = [], np.empty(self._batch_size, np.float32), []
            for index in range(self._batch_size):
                item = next(items)
                labels[index] = item.label
                names.append(item.name)
                made, left = self._transformed(item)
                if values and made.shape != values[0].shape:
                    raise DataError(
                        f"{self._owner}: {item.name} is {shape_text(made.shape)}, the first of its batch is "
                        f"{shape_text(values[0].shape)} (channels×height×width). Give a resize_param, or batch_size: 1."
                    )
                values.append(made)
                rows.append(np.insert(left, 0, index, axis=1))
            boxes = np.concatenate(rows)
            if not len(boxes):
                boxes = np.full((1, COLUMNS), -1, np.float32)
            yield np.stack(values), boxes[None, None] if self.has_boxes else labels, names

    def _transformed(self, item: AnnotatedImage) -> tuple[np.ndarray, np.ndarray]:
        """The data (C, H, W) and the boxes (n, 7) of one image."""
        image, rows, transform = item.image, item.rows, self._transform
        emit = transform.emit_constraint if transform.HasField("emit_constraint") else None
        if transform.HasField("distort_param"):
            image = distortion.distorted(image, transform.distort_param, self._draw)
        if transform.HasField("expand_param"):
            ground = self._transformer.mean_colour(image.shape[2])
            image, rows = distortion.expanded(image, rows, transform, ground, self._draw)
        parts = sampling.samples(self._samplers, rows[:, 2:6], self._draw) if self._samplers else []
        if parts:
            part = parts[self._draw.below(len(parts))].clip(0, 1)
            image, rows = cut_out(image, part), sampling.kept(rows, part, emit)
        if transform.resize_param:
            rows = rows.copy()
            rows[:, 2:6] = resizing.boxes_resized(rows[:, 2:6], self._resize, *image.shape[:2])
            image = resizing.resized(image, self._resize, self._draw)
        values, (top, left), mirrored = self._transformer.placed(image.transpose(2, 0, 1), item.name)
        corners = np.array([left, top, left + values.shape[2], top + values.shape[1]], np.float32)
        rows = sampling.kept(rows, corners / np.tile(image.shape[1::-1], 2).astype(np.float32), emit)
        if mirrored:
            rows[:, [2, 4]] = 1 - rows[:, [4, 2]]
        return values, rows


def cut_out(image: np.ndarray, part: np.ndarray) -> np.ndarray:
    """A part of an image, at least one pixel of it; part: xmin, ymin, xmax, ymax as shares of the image."""
    height, width = image.shape[:2]
    left, top, right, lower = part * np.array([width, height, width, height], np.float32)
    begin = min(int(top), height - 1), min(int(left), width - 1)
    return image[begin[0] : begin[0] + max(int(lower - top), 1), begin[1] : begin[1] + max(int(right - left), 1)]


def _parsed(value: bytes, name: str) -> Any:
    try:
        stored = caffe_pb2.AnnotatedDatum.FromString(value)
    except DecodeError as error:
        raise DataError(f"{name} is not an AnnotatedDatum message. Write the database again.") from error
    if not stored.HasField("datum"):
        raise DataError(
            f"{name} has no `datum`: it is no AnnotatedDatum. Databases of `caffe convert_imageset` are for Data "
            "layers; make one with `caffe convert_annoset`."
        )
    return stored


def _rows(stored: Any) -> np.ndarray:
    """(n, 7), by groups."""
    found = [
        (group.group_label, each.instance_id, box.xmin, box.ymin, box.xmax, box.ymax, box.difficult)
        for group in stored.annotation_group
        for each in group.annotation
        for box in (each.bbox,)
    ]
    return np.array(found, np.float32).reshape(-1, 7)
