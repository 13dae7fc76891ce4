"""Crop: a part of one blob, as large as another."""

from dataclasses import replace

import torch

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Handling, Precision, Rows, Shape, TorchLayer, layer_type, rows
from caffe.layer_types.helpers.axes import canonical


@layer_type
class Crop(TorchLayer):
    """Cuts the first bottom to the size of the second, from `axis` on.

    y[i, j, …] = x[i, j + offset, …]
    bottom: x, and a blob of which only the shape counts
    top: like x before `axis`, like the second bottom from it on
    parameters: axis (default 2), offset: one for all cropped axes (default 0), or one for each
    source: src/caffe/layers/crop_layer.cpp
    """

    bottoms = 2
    tops = 1
    settings = "crop_param"
    traits = replace(
        TorchLayer.traits, replayable=True, precision=Precision.ANY, handling=Handling.MOVED, zero_at_zero=True
    )

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.crop_param
        shape = bottom[0].shape
        self.axis = canonical(param.axis, shape, self)
        cropped = len(shape) - self.axis
        if len(param.offset) > 1 and len(param.offset) != cropped:
            raise NetError(
                f"{self}: {len(param.offset)} offsets for {cropped} axes from axis {self.axis} on: number of offset "
                "values specified must be equal to the number of dimensions following axis. Or give one for all."
            )
        offsets = list(param.offset) or [0]
        self.offsets = offsets if len(offsets) == cropped else offsets * cropped

    def top_shapes(self, x: Shape, like: Shape) -> list[Shape]:
        for axis, offset in enumerate(self.offsets, start=self.axis):
            size = like[canonical(axis, like, self)]
            if x[axis] - offset < size:
                raise ShapeError(
                    f"{self}: bottom is {x}, the size comes from {like}: the crop for dimension {axis} is "
                    f"out-of-bounds with size {size} and offset {offset}. Correct `offset`, or pad more before."
                )
        return [(*x[: self.axis], *like[self.axis : len(x)])]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return rows.Shifted(self.offsets[2 - self.axis] if self.axis <= 2 else 0)

    def take_bands(self) -> None:
        if self.axis <= 2:
            self.offsets = [0 if axis == 2 else offset for axis, offset in enumerate(self.offsets, start=self.axis)]

    def compute(self, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        sizes = like.shape[self.axis : x.dim()]
        for axis, (offset, size) in enumerate(zip(self.offsets, sizes, strict=True), start=self.axis):
            x = x.narrow(dim=axis, start=offset, length=size)
        return x.clone(memory_format=torch.contiguous_format)
