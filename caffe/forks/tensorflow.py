"""TensorFlow: its functions as layers, in nets that were made for Synopsys' Caffe."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import filler, register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image

LAYOUTS = {"NHWC": 1, "NCHW": 2}
"""The order of the axes → which one the height is."""


def refuse_others(layer: TorchLayer, *known: str) -> None:
    """NetError for settings that the layer does not read, unless they are the default."""
    others = [
        field.name
        for field, value in layer.message.ListFields()
        if field.name not in known and value != field.default_value
    ]
    if others:
        raise NetError(f"{layer}: {', '.join(others)}: not implemented. Remove them.")


@register_layer
class Squeeze(TorchLayer):
    """Leaves out axes of size 1.

    y = x, without these axes
    bottom: x
    top: x's shape without `axis`, or without any axis of size 1
    parameters: axis (several; below 0 from the end; none: all of size 1)
    source: Synopsys Caffe: src/caffe/layers/squeeze_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "squeeze_param"

    def top_shapes(self, x: Shape) -> list[Shape]:
        wanted = list(self.message.axis)
        axes = {axis % len(x) for axis in wanted if -len(x) <= axis < len(x)} if x else set()
        if any(not -len(x) <= axis < len(x) for axis in wanted) or any(x[axis] != 1 for axis in axes):
            raise ShapeError(
                f"{self}: bottom is {x}, axis {wanted}; expected axes of size 1. Can't remove axis that is not shape 1!"
            )
        return [tuple(size for axis, size in enumerate(x) if (axis not in axes if wanted else size != 1))]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(self.top_shapes(tuple(x.shape))[0]).clone()


class _OfTwo(TorchLayer):
    tops = 1

    def top_shapes(self, x: Shape, other: Shape) -> list[Shape]:
        try:
            return [tuple(np.broadcast_shapes(x, other))]
        except ValueError as error:
            raise ShapeError(f"{self}: {x} and {other}. Dimensions must be equal or 1 in the bottoms!") from error


@register_layer
class Mul(_OfTwo):
    """The product of two arrays, or of one and a stored one; sizes of 1, and axes that are missing in front, repeat.

    y = a · b
    bottom: a; b, unless it is stored
    top: the larger size along each axis
    blobs: with one bottom: b (mul_shape)
    parameters: mul_shape (of b, if it is stored)
    source: Synopsys Caffe: src/caffe/layers/mul_layer.cpp, which has no gradient; here it has
    """

    bottoms = (1, 2)
    settings = "mul_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        if len(bottom) == 1:
            self.add_param(tuple(self.message.mul_shape), filler(value=0))

    def top_shapes(self, x: Shape, other: Shape | None = None) -> list[Shape]:
        return super().top_shapes(x, tuple(self.message.mul_shape) if other is None else other)

    def compute(self, a: torch.Tensor, *b: torch.Tensor) -> torch.Tensor:
        return a * (b[0] if b else self.tensors[0])


@register_layer
class Add(_OfTwo):
    """The sum of two arrays; sizes of 1, and axes that are missing in front, repeat.

    y = a + b
    bottom: a, b
    top: the larger size along each axis
    source: Synopsys Caffe: src/caffe/layers/add_layer.cpp, which has no gradient; here it has
    """

    bottoms = 2

    def compute(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b


@register_layer(name="Pad")
class ConstantPad(TorchLayer):
    """Puts a constant around an array.

    y[p] = x[p − before] where there is one, else constant_values
    bottom: x
    top: each axis longer by before and behind
    parameters: paddings (before and behind, for each axis), constant_values (0)
    source: Synopsys Caffe: src/caffe/layers/pad_layer.cpp, which has no gradient; here it has
    """

    bottoms = 1
    tops = 1
    settings = "pad_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        refuse_others(self, "paddings", "constant_values")

    def top_shapes(self, x: Shape) -> list[Shape]:
        pads = list(self.message.paddings)
        if len(pads) != 2 * len(x):
            raise ShapeError(
                f"{self}: bottom is {x}, with {len(pads)} paddings. Paddings' num should be 2 times of bottom "
                "dimension! Correct them."
            )
        return [tuple(size + sum(pads[2 * axis : 2 * axis + 2]) for axis, size in enumerate(x))]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        pads = np.array(self.message.paddings).reshape(-1, 2)[::-1].reshape(-1)
        return F.pad(x, pads.tolist(), value=self.message.constant_values) if pads.any() else x.clone()


class _Resize(TorchLayer):
    bottoms = 1
    tops = 1
    centres: tuple[str, ...]
    """The settings that say where pixels lie, of which there may be one."""

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        sizes = ("output_height", "output_width", "scale_height", "scale_width")
        refuse_others(self, "data_format", *sizes, *self.centres)
        check_image(self, bottom[0].shape)
        chosen = [name for name in self.centres if getattr(self.message, name)]
        if self.message.data_format not in LAYOUTS or len(chosen) > 1:
            raise NetError(
                f"{self}: data_format is '{self.message.data_format}', set are {', '.join(chosen) or 'no centres'}; "
                f"expected {' or '.join(LAYOUTS)}, and at most one of {', '.join(self.centres)}. Correct them."
            )
        self.chosen = chosen[0] if chosen else ""

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        param, first, shape = self.message, LAYOUTS[self.message.data_format], list(x)
        for axis, side in ((first, "height"), (first + 1, "width")):
            times = np.float32(getattr(param, f"scale_{side}"))
            given = param.HasField(f"output_{side}")
            shape[axis] = getattr(param, f"output_{side}") if given else math.floor(np.float32(x[axis]) * times)
        if min(shape[first : first + 2]) < 1 or min(x[first : first + 2]) < 1:
            raise ShapeError(
                f"{self}: bottom is {x}, the top would be {tuple(shape)}; expected a pixel at least."
                " Give a larger bottom."
            )
        return [tuple(shape)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        (shape,) = self.top_shapes(tuple(x.shape))
        for axis in (LAYOUTS[self.message.data_format], LAYOUTS[self.message.data_format] + 1):
            size, wanted = x.shape[axis], shape[axis]
            corners = self.chosen == "align_corners" and wanted > 1
            step = np.float32(size - 1) / np.float32(wanted - 1) if corners else np.float32(size) / np.float32(wanted)
            x = self.along(x, axis, np.arange(wanted, dtype=np.float32), step)
        return x

    def along(self, x: torch.Tensor, axis: int, places: np.ndarray, step: Any) -> torch.Tensor:
        """x with as many values along an axis as there are places."""
        raise NotImplementedError


@register_layer
class ResizeNearestNeighbor(_Resize):
    """Resizes maps by the pixel that is nearest, or before.

    y[p] = x[⌊p · s⌋], s = H / height; x[⌊(p + ½) · s⌋] with half_pixel_centers, x[⌊(p + ½) · s − ½⌋] with
        half_pixel_onnx; x[⌊p · s + ½⌋], s = (H − 1) / (height − 1), with align_corners
    bottom: (N, H, W, C), or with data_format "NCHW" (N, C, H, W)
    top: its height and width are output_height and output_width, or ⌊H · scale_height⌋ and ⌊W · scale_width⌋
    parameters: data_format ("NHWC"), output_height, output_width, scale_height (1), scale_width (1), align_corners,
        half_pixel_centers, half_pixel_onnx (false; one of them)
    source: Synopsys Caffe: src/caffe/layers/resize_nearest_neighbor_layer.cpp, which has no gradient; here it has
    """

    settings = "resize_nearest_neighbor_param"
    centres = ("align_corners", "half_pixel_centers", "half_pixel_onnx")

    def along(self, x: torch.Tensor, axis: int, places: np.ndarray, step: Any) -> torch.Tensor:
        half = np.float32(0.5)
        found = {
            "": np.floor(places * step),
            "align_corners": np.floor(places * step + half),
            "half_pixel_centers": np.floor((places + half) * step),
            "half_pixel_onnx": np.floor((places + half) * step - half),
        }[self.chosen]
        index = torch.from_numpy(found.astype(np.int64).clip(0, x.shape[axis] - 1))
        return x.index_select(axis, index.to(x.device))


@register_layer
class ResizeBilinear(_Resize):
    """Resizes maps bilinearly.

    y[p] = bilinear x[p · s], s = H / height, or (H − 1) / (height − 1) with align_corners; x[(p + ½) · s − ½] with
        half_pixel_centers or pytorch_half_pixel, which takes x[0] for a height of 1
    bottom: (N, H, W, C), or with data_format "NCHW" (N, C, H, W)
    top: its height and width are output_height and output_width, or ⌊H · scale_height⌋ and ⌊W · scale_width⌋
    parameters: data_format ("NHWC"), output_height, output_width, scale_height (1), scale_width (1), align_corners,
        half_pixel_centers, pytorch_half_pixel (false; one of them)
    restrictions: maps of three axes (NCHWD) and numbers of quantization are refused
    source: Synopsys Caffe: src/caffe/layers/resize_bilinear_layer.cpp, which has no gradient; here it has
    """

    settings = "resize_bilinear_param"
    centres = ("align_corners", "half_pixel_centers", "pytorch_half_pixel")

    def along(self, x: torch.Tensor, axis: int, places: np.ndarray, step: Any) -> torch.Tensor:
        half, size = np.float32(0.5), x.shape[axis]
        at = places * step
        if self.chosen in self.centres[1:]:
            at = (places + half) * step - half
        if self.chosen == "pytorch_half_pixel" and len(places) == 1:
            at = -half * np.ones(1, np.float32)
        shape = (-1, *[1] * (x.dim() - 1 - axis))
        share = torch.from_numpy(at - np.floor(at)).to(x).reshape(shape)
        first, second = (
            torch.from_numpy(each.astype(np.int64).clip(0, size - 1)).to(x.device)
            for each in (np.floor(at), np.ceil(at))
        )
        return x.index_select(axis, first) * (1 - share) + x.index_select(axis, second) * share
