"""What detectors' layers are given: regions of images, sizes of images, and numbers that may not be finite."""

import math

import numpy as np
import torch

from caffe.errors import ShapeError
from caffe.layer_types.base import NativeLayer, Shape
from caffe.layer_types.helpers.spatial import check_image
from caffe.log import log
from caffe.proto import caffe_pb2

FARTHEST = 1e9
"""Corners further away are taken for this far."""


def read_regions(layer: NativeLayer, regions: torch.Tensor, images: int) -> tuple[np.ndarray, np.ndarray]:
    """The images' numbers, and x1, y1, x2, y2 of (R, 5) regions. ShapeError for an image that is not in the batch."""
    found = regions.detach().reshape(-1, 5).float().cpu().numpy()
    numbers = found[:, 0]
    if len(numbers) and not ((numbers >= 0) & (numbers < images)).all():
        raise ShapeError(
            f"{layer}: regions are of images {numbers.min()} … {numbers.max()}, the batch has {images}. Correct the "
            "regions."
        )
    boxes = found[:, 1:].clip(-FARTHEST, FARTHEST)
    if lost := np.flatnonzero(np.isnan(boxes).any(axis=1)).tolist():
        log.warning(
            "%s: %s of %s regions have NaN in their corners (number %s first): they are taken for empty ones outside "
            "of the map. Look for the layer whose output is not finite.",
            *(layer, len(lost), len(boxes), lost[0]),
        )
        boxes[lost] = FARTHEST
    return numbers.astype(np.int64), boxes


def check_regions(layer: NativeLayer, x: Shape, regions: Shape) -> None:
    """Refuse a map without pixels, and regions that are no five numbers each."""
    check_image(layer, x)
    if 0 in x[2:]:
        raise ShapeError(f"{layer}: bottom is {x}, expected a map with pixels. Give a larger one.")
    if math.prod(regions[1:]) != 5:
        raise ShapeError(f"{layer}: regions are {regions}, expected (R, 5): image, x1, y1, x2, y2. Correct the shape.")


def pooled_bins(param: caffe_pb2.ROIPoolingParameter) -> tuple[int, int]:
    """Bins along the rows and the columns; pooled_size stands for both where they are not given."""
    return param.pooled_h or param.pooled_size, param.pooled_w or param.pooled_size


def warn_of_nan(layer: object, *values: np.ndarray) -> None:
    """Say of what a detector takes that it has NaN, which makes no box: what it finds would look like nothing."""
    if lost := sum(int(np.isnan(each).sum()) for each in values):
        log.warning(
            "%s: %s of %s numbers in its bottoms are NaN: where one is, nothing is found. Look for the layer whose "
            "output is not finite.",
            *(layer, f"{lost:,}", f"{sum(each.size for each in values):,}"),
        )


def sizes_of(layer: object, image: np.ndarray) -> np.ndarray:
    """Height, width and scale [and the width's scale] of an image. ShapeError unless they are above 0."""
    if not (np.isfinite(image[:4]) & (image[:4] > 0)).all():
        raise ShapeError(
            f"{layer}: an image has the height, width and scale {image.tolist()}, expected numbers above 0. Correct."
        )
    return image
