"""Optical flow: FlowNet's ways to another size, and its images' stored mean."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import filler, register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image
from caffe.proto import caffe_pb2

NEAREST, LINEAR, CUBIC = (
    caffe_pb2.ResampleParameter.ResampleType.Value(name) for name in ("NEAREST", "LINEAR", "CUBIC")
)
LAST_PLACE = 1.05
"""Positions are read at most this far before the end of the image, so that their neighbours are in it."""


@register_layer
class Resample(TorchLayer):
    """Resizes images by the nearest pixel, or by weights around it.

    y[i, j] = Σ w(i · fy + fx / 2 − ½ − r) · w(j · fx + fy / 2 − ½ − s) · x[r, s] / Σ of these weights, fx = W / width,
        fy = H / height (each in the other's offset, as FlowNet has it); w is a triangle (LINEAR) or cubic with
        a = −½ (CUBIC), as wide as fx and fy with antialias and at least one above 1; NEAREST takes the pixel there
    bottom: (N, C, H, W), and a second one whose size is taken
    top: (N, C, height, width)
    parameters: width, height, or factor (of the bottom's size); type (NEAREST, LINEAR, CUBIC), antialias (true)
    restrictions: AREA is refused
    source: FlowNet 2: src/caffe/layers/resample_layer.cu, which has no gradient; here it has
    """

    bottoms = (1, 2)
    tops = 1
    settings = "resample_param"
    constant = (1,)
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.given = self.message
        if self.given.type not in (NEAREST, LINEAR, CUBIC):
            raise NetError(f"{self}: only CUBIC, LINEAR and NEAREST interpolation is supported for now. Use one.")

    def top_shapes(self, x: Shape, other: Shape | None = None) -> list[Shape]:
        for shape in (x, other or x):
            check_image(self, shape)
        height, width = self.given.height, self.given.width
        if other is not None:
            height, width = other[2:]
        elif self.given.HasField("factor") and math.isfinite(self.given.factor):
            height, width = int(x[2] * self.given.factor), int(x[3] * self.given.factor)
        if min(height, width) < 1:
            raise ShapeError(f"{self}: the top would be {height} × {width}, it must be > 0. Set height and width.")
        self.sizes = (height, width)
        return [(*x[:2], height, width)]

    def compute(self, x: torch.Tensor, *other: torch.Tensor) -> torch.Tensor:
        steps = [np.float32(size) / np.float32(wanted) for size, wanted in zip(x.shape[2:], self.sizes, strict=True)]
        wide = bool(self.given.antialias and max(steps) > 1)
        down, across = (
            torch.from_numpy(self.weights(size, wanted, step, other_step, wide)).to(x)
            for size, wanted, step, other_step in zip(x.shape[2:], self.sizes, steps, steps[::-1], strict=True)
        )
        return down @ x @ across.T

    def weights(self, size: int, wanted: int, step: Any, other_step: Any, wide: bool) -> np.ndarray:
        """(wanted, size): how much each pixel counts, along one axis."""
        centres = np.arange(wanted, dtype=np.float32) * step + other_step / np.float32(2) - np.float32(0.5)
        if self.given.type == NEAREST:
            nearest = np.floor(centres + 0.5).clip(0, size - 1).astype(np.int64)
            return np.eye(size, dtype=np.float32)[nearest]
        away = np.abs(centres[:, None] - np.arange(size)) / (step if wide else 1)
        found = cubic(away) if self.given.type == CUBIC else np.maximum(1 - away, 0)
        total = found.sum(1, keepdims=True)
        return np.divide(found, total, out=np.zeros_like(found), where=total != 0).astype(np.float32)


def cubic(away: np.ndarray) -> np.ndarray:
    """The cubic kernel with a = −½ at these distances."""
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    return np.where(away <= 1, near, np.where(away < 2, far, 0))


@register_layer
class Downsample(TorchLayer):
    """Makes maps smaller by a weighted mean around each place, corners upon corners; NaN counts as no value.

    y[p] = Σ w[q] · x[q] / Σ w[q] over the q that are no NaN, w[q] = max(0, 1 − |q − p · s| / s) along both axes,
        s = (H − 1) / (top_height − 1); NaN where the weights of NaNs are more than half of the others'
    bottom: (N, C, H, W), and a second one whose size is taken
    top: (N, C, top_height, top_width)
    parameters: top_height, top_width
    source: FlowNet 2: src/caffe/layers/downsample_layer.cu, which has no gradient; here it has
    """

    bottoms = (1, 2)
    tops = 1
    settings = "downsample_param"
    constant = (1,)
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def top_shapes(self, x: Shape, other: Shape | None = None) -> list[Shape]:
        for shape in (x, other or x):
            check_image(self, shape)
        height, width = other[2:] if other else (self.message.top_height, self.message.top_width)
        if not (1 < height <= x[2] and 1 < width <= x[3]) and (height, width) != x[2:]:
            raise ShapeError(
                f"{self}: bottom is {x}, the top would be {height} × {width}; expected 2 or more, and at most the "
                "bottom's. Correct top_height and top_width."
            )
        self.sizes = (height, width)
        return [(*x[:2], height, width)]

    def compute(self, x: torch.Tensor, *other: torch.Tensor) -> torch.Tensor:
        if x.shape[2:] == self.sizes:
            return x.clone()
        down, across = (_triangles(size, wanted).to(x) for size, wanted in zip(x.shape[2:], self.sizes, strict=True))
        missing = x.isnan()
        counted = down @ (~missing).to(x.dtype) @ across.T
        lost = down @ missing.to(x.dtype) @ across.T
        y = down @ torch.where(missing, torch.zeros_like(x), x) @ across.T / counted
        return torch.where(lost / counted > 0.5, torch.full_like(y, torch.nan), y)


def _triangles(size: int, wanted: int) -> torch.Tensor:
    step = (size - 1) / (wanted - 1)
    away = np.abs(np.arange(wanted)[:, None] * step - np.arange(size))
    return torch.from_numpy(np.maximum(0, 1 - away / step))


@register_layer
class Accum(TorchLayer):
    """Joins the channels of maps of several sizes, each resized bilinearly, corners upon corners.

    y[c] = bilinear x_i[c − Σ of the channels before] at p · (H_i − 1) / (H − 1)
    bottom: (N, C_i, H_i, W_i), one or more; with have_reference the last one gives the size alone
    top: (N, Σ C_i, H, W): the largest height and width, or if both are larger top_height and top_width, or these
        rounded up to a multiple of size_divisible_by
    parameters: top_height, top_width, size_divisible_by, have_reference (false)
    source: FlowNet 2: src/caffe/layers/accum_layer.cpp
    """

    bottoms = (1, None)
    tops = 1
    settings = "accum_param"
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.joined = len(bottom) - int(self.message.have_reference)
        if self.joined < 1:
            raise NetError(f"{self}: need at least two bottom blobs (one as reference). Add one.")

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index < self.joined

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        for x in bottoms:
            check_image(self, x)
            if x[0] != bottoms[0][0]:
                raise ShapeError(
                    f"{self}: all accumulated layers must have same number of images, found {bottoms}."
                    " Correct the shapes."
                )
        largest = tuple(max(x[axis] for x in bottoms) for axis in (2, 3))
        param = self.message
        wanted = (param.top_height, param.top_width)
        if param.size_divisible_by:
            wanted = tuple(-(-size // param.size_divisible_by) * param.size_divisible_by for size in largest)
        if all(size > least for size, least in zip(wanted, largest, strict=True)):
            largest = wanted
        if self.joined < len(bottoms):
            largest = bottoms[-1][2:]
        self.sizes = largest
        return [(bottoms[0][0], sum(x[1] for x in bottoms[: self.joined]), *largest)]

    def compute(self, *bottoms: torch.Tensor) -> torch.Tensor:
        maps = (F.interpolate(x, self.sizes, mode="bilinear", align_corners=True) for x in bottoms[: self.joined])
        return torch.cat(list(maps), dim=1)


@register_layer
class DataAugmentation(TorchLayer):
    """Cuts out the middle of images and subtracts the mean that training has stored, as deploy nets do.

    y[c, p] = x[c, p + offset] − mean, of each place (mean_per_pixel) or each channel
    bottom: (N, C, H, W)
    top: (N, C, crop_height, crop_width)
    blobs: with recompute_mean: number of passes (1, 1, 1, 1), mean image (1, C, h, w), mean colour (1, C, 1, 1); else
        the number alone
    parameters: crop_width, crop_height, recompute_mean (passes that the mean is taken of; 0: none), mean_per_pixel
        (true), mean (three values, without recompute_mean and mean_per_pixel)
    restrictions: anything random (mirror, rotate, zoom, colours …) is refused in TRAIN and with augment_during_test
    source: FlowNet 2: src/caffe/layers/data_augmentation_layer.cu; places of the last column and row are read at most
        1.05 before the end, where a crop is given, as there
    """

    bottoms = 1
    tops = 1
    settings = "augmentation_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        check_image(self, bottom[0].shape)
        random = [field.name for field, _ in param.ListFields() if field.message_type is not None]
        if random and (self.phase == caffe_pb2.TRAIN or param.augment_during_test):
            raise NetError(f"{self}: {', '.join(random)}: random augmentation is not implemented. Remove them.")
        channels = bottom[0].shape[1]
        self.passes, self.per_pixel = param.recompute_mean, param.mean_per_pixel
        if param.mean and not self.per_pixel and len(param.mean) != channels:
            raise NetError(f"{self}: mean has {len(param.mean)} values for {channels} channels. Give one for each.")
        crops = param.HasField("crop_width")
        if crops != param.HasField("crop_height"):
            raise NetError(f"{self}: crop_width or crop_height is given, expected both or neither. Add the other.")
        self.crop = (param.crop_height, param.crop_width) if crops else None
        self.fixed = torch.tensor(list(param.mean)).reshape(1, -1, 1, 1)
        shapes = [(1, 1, 1, 1)]
        if self.passes:
            shapes += [(1, channels, *(self.crop or bottom[0].shape[2:])), (1, channels, 1, 1)]
        for shape in shapes:
            self.add_param(shape, filler(value=0))
        specs = self.layer_param.param
        for _ in range(len(specs), len(shapes)):
            specs.add()
        for spec in specs:
            spec.lr_mult = spec.decay_mult = 0

    def adapted(self, stored: Sequence[Any]) -> Sequence[Any]:
        """A mean image of another size becomes its mean colour, at every place."""
        if len(stored) != 3 or stored[1] is None or stored[1].shape == self.blobs[1].shape:
            return stored
        image = np.asarray(stored[1])
        if image.ndim != 4 or image.shape[1] != self.blobs[1].shape[1]:
            return stored
        colour = image.mean((2, 3), keepdims=True)
        return [stored[0], np.broadcast_to(colour, self.blobs[1].shape), colour if self.per_pixel else stored[2]]

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        height, width = self.crop or x[2:]
        if not (0 < height <= x[2] and 0 < width <= x[3]):
            raise ShapeError(
                f"{self}: bottom is {x}, the crop {height} × {width}: crop width greater than original. Lower the crop."
            )
        if self.passes and self.blobs[1].shape[2:] != (height, width):
            self.blobs[1].reshape(1, x[1], height, width)
        return [(*x[:2], height, width)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.blobs[0].tensor = self.blobs[0].tensor + 1
        if 0 < float(self.blobs[0].tensor) <= self.passes:
            count = float(self.blobs[0].tensor)
            image = self._cut(bottom[0].tensor.float()).mean(0, keepdim=True)
            self.blobs[1].tensor = self.blobs[1].tensor + (image - self.blobs[1].tensor) / count
            self.blobs[2].tensor = self.blobs[1].tensor.mean((2, 3), keepdim=True)
        super().forward(bottom, top)

    def _cut(self, x: torch.Tensor) -> torch.Tensor:
        if self.crop is None:
            return x
        for axis, wanted in zip((2, 3), self.crop, strict=True):
            size = x.shape[axis]
            places = torch.arange(wanted, device=x.device) + (size - wanted) / 2
            places = places.clamp(0, max(size - LAST_PLACE, 0))
            first = places.floor().long()
            share = (places - first).reshape(-1, *[1] * (3 - axis)).to(x.dtype)
            after = (first + 1).clamp(max=size - 1)
            x = x.index_select(axis, first) * (1 - share) + x.index_select(axis, after) * share
        return x

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        x = self._cut(x)
        if self.passes:
            return x - self.tensors[1 if self.per_pixel else 2].to(x.dtype)
        return x - self.fixed.to(x) if self.fixed.numel() and not self.per_pixel else x
