"""Pose: OpenPose's resizing of heat maps, and the peaks in them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image

HALF_WINDOW = 3
NEIGHBOURS = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
SLIP = 1e-5
"""Added to a place before it is cut to a whole pixel."""


@register_layer
class ImResize(TorchLayer):
    """Resizes heat maps by a cubic kernel, and takes the mean over images, which are one image at several scales.

    y[0, c, p] = Σ_n cubic x[n, c] at (p − offset) · H_n / height / N, with a = −½ and half-pixel centres; H_n: the
        rows and columns of scale n, without ⌊H div 2 · (1 − start_scale + n · scale_gap)⌋ at either side
    bottom: (N, C, H, W)
    top: (1, C, target_spatial_height, target_spatial_width), or (1, C, H · factor, W · factor)
    parameters: target_spatial_width (368), target_spatial_height (368), factor (0: none), start_scale (1), scale_gap
        (0.1)
    source: OpenPose: src/caffe/layers/imresize_layer.cu, as on the GPU; it has no gradient there, here it has
    """

    bottoms = 1
    tops = 1
    settings = "imresize_param"
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        param = self.message
        height, width = param.target_spatial_height, param.target_spatial_width
        if param.factor and math.isfinite(param.factor):
            height, width = int(x[2] * param.factor), int(x[3] * param.factor)
        if min(height, width) < 1 or any(min(x[2:]) - 2 * max(self.cuts(n, x)) < 1 for n in range(x[0])):
            raise ShapeError(
                f"{self}: bottom is {x}, the top would be {height} × {width}, of {x[0]} scales from "
                f"{param.start_scale:g} down by {param.scale_gap:g}; expected at least one pixel of each. Correct "
                "imresize_param."
            )
        self.sizes = (height, width)
        return [(1, x[1], height, width)]

    def cuts(self, scale: int, x: Any) -> tuple[int, int]:
        """Rows above and below, columns left and right, that are no part of the image at this scale."""
        share = np.float32(1 - self.message.start_scale + scale * self.message.scale_gap)
        rows, columns = (int(np.floor(size // 2 * share)) for size in x[2:])
        return max(rows, 0), max(columns, 0)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        total = x.new_zeros(1, x.shape[1], *self.sizes)
        for scale in range(x.shape[0]):
            rows, columns = self.cuts(scale, x.shape)
            part = x[scale : scale + 1, :, rows : x.shape[2] - rows, columns : x.shape[3] - columns]
            down, across = (
                torch.from_numpy(_weights(size, wanted)).to(x)
                for size, wanted in zip(part.shape[2:], self.sizes, strict=True)
            )
            total = total + down @ part @ across.T
        return total / x.shape[0]


def _weights(size: int, wanted: int) -> np.ndarray:
    """(wanted, size): how much each pixel counts; those beyond the border count for the ones at it."""
    places = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    first = np.maximum((places + SLIP).astype(np.int64), 0)
    found = np.zeros((wanted, size), np.float32)
    t = places - first
    cubic = (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t**2 + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t**2,
    )
    for step, weight in enumerate(cubic, start=-1):
        at = first + step
        np.add.at(found, (np.arange(wanted), at.clip(0, size - 1)), weight)
    return found


@register_layer
class Nms(TorchLayer):
    """Finds the peaks of heat maps. It has no gradient.

    y[n, c, 0, 0] = number of peaks; y[n, c, k] = (x, y, score) of peak k = 1, 2, … in the order of rows: a pixel above
        the threshold and above its 8 neighbours, not at the border; its place is the mean over 7 × 7 pixels, weighted
        by their scores where these are above 0 (without the first row and column)
    bottom: (N, C, H, W)
    top: (N, num_parts, max_peaks + 1, 3), of the first num_parts channels; 0 where there are fewer peaks
    parameters: threshold (0.5), max_peaks (20), num_parts (15, or the channels if
        these are fewer)
    source: OpenPose: src/caffe/layers/nms_layer.cu, which takes rows up to the map's width for the mean; here up to its
        height
    """

    bottoms = 1
    tops = 1
    settings = "nms_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.threshold, self.peaks, self.parts = param.threshold, param.num_peak or param.max_peaks, param.num_parts
        if not param.HasField("num_parts"):
            self.parts = min(self.parts, bottom[0].channels)

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        if not 1 <= self.parts <= x[1]:
            raise NetError(
                f"{self}: num_parts is {self.parts}, with {x[1]} channels; expected at most as many. Correct it."
            )
        return [(x[0], self.parts, self.peaks + 1, 3)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        maps = x.detach()[:, : self.parts].float()
        height, width = maps.shape[2:]
        inner = maps[:, :, 1:-1, 1:-1]
        found = inner > self.threshold
        for row, column in NEIGHBOURS:
            found &= inner > maps[:, :, row : height - 2 + row, column : width - 2 + column]
        values, where = maps.cpu().numpy(), np.argwhere(found.cpu().numpy())
        result = np.zeros((len(maps), self.parts, self.peaks + 1, 3), np.float32)
        for image, part, row, column in where:
            count = int(result[image, part, 0, 0])
            result[image, part, 0, 0] += 1
            if count < self.peaks:
                result[image, part, count + 1] = _place(values[image, part], row + 1, column + 1)
        return torch.from_numpy(result).to(device.current())


def _place(values: np.ndarray, row: int, column: int) -> tuple[float, float, float]:
    rows = np.arange(max(row - HALF_WINDOW, 1), min(row + HALF_WINDOW + 1, values.shape[0]))
    columns = np.arange(max(column - HALF_WINDOW, 1), min(column + HALF_WINDOW + 1, values.shape[1]))
    weights = np.maximum(values[rows[:, None], columns], 0)
    total = weights.sum()
    if not total:  # a threshold below 0 lets peaks pass that have no weight
        return column, row, values[row, column]
    return (weights.sum(0) * columns).sum() / total, (weights.sum(1) * rows).sum() / total, values[row, column]


@register_layer
class Maximum(TorchLayer):
    """The largest value of each map, and where it is. It has no gradient.

    y[n, c, 0] = column, row, value of the first largest of x[n, c]; (0, 0, the smallest number above 0) where none is
        larger than that
    bottom: (N, C, H, W)
    top: (N, C, 1, 3)
    source: OpenPose, first version: src/caffe/layers/maximum_layer.cpp
    """

    bottoms = 1
    tops = 1
    differentiable = False
    traits = replace(TorchLayer.traits, replayable=True)

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        if 0 in x[2:]:
            raise ShapeError(f"{self}: bottom is {x}, expected a map with pixels. Give a larger one.")
        return [(*x[:2], 1, 3)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        values, places = x.flatten(start_dim=2).max(2)
        least = torch.finfo(torch.float32).tiny
        found = values > least
        column, row = places % x.shape[3], places // x.shape[3]
        each = [column.where(found, 0).to(x), row.where(found, 0).to(x), values.where(found, least)]
        return torch.stack(each, dim=-1)[:, :, None]


@register_layer
class Switch(TorchLayer):
    """The last bottom; OpenPose's programs choose another.

    y = x_k of the last bottom k
    bottom: any number, of the same count
    top: like the last bottom
    restrictions: which bottom is taken is not changed by a program
    source: OpenPose, first version: src/caffe/layers/switch_layer.cpp
    """

    bottoms = (1, None)
    tops = 1
    traits = replace(TorchLayer.traits, replayable=True)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if any(len(shape) != len(bottoms[0]) for shape in bottoms) or math.prod(bottoms[0]) != math.prod(bottoms[-1]):
            raise ShapeError(
                f"{self}: bottoms are {bottoms}: All inputs must have the same #axes, and the same count."
                " Correct the shapes."
            )
        return [bottoms[0]]

    def compute(self, *bottoms: torch.Tensor) -> torch.Tensor:
        return bottoms[-1].reshape(bottoms[0].shape).clone()
