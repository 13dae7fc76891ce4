"""Base classes of losses (src/caffe/layers/loss_layer.cpp)."""

from dataclasses import replace
from typing import ClassVar

import torch

from caffe.blob import Blob
from caffe.errors import ShapeError
from caffe.layer_types.base import Count, NativeLayer, Shape, TorchLayer
from caffe.layer_types.helpers.axes import canonical
from caffe.layer_types.helpers.labels import check_labels
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

Modes = caffe_pb2.LossParameter


class LossLayer(TorchLayer):
    """Two bottoms of the same first dimension, one number as top. The second bottom has no gradient."""

    bottoms: Count = 2
    tops: Count = 1
    loss = True
    traits = replace(TorchLayer.traits, replayable=True)
    no_gradient: ClassVar[tuple[int, ...]] = (1,)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        for shape in bottoms[:2]:
            canonical(0, shape, self)
        if bottoms[0][0] != bottoms[1][0]:
            raise ShapeError(
                f"{self}: bottom 0 is {bottoms[0]}, bottom 1 {bottoms[1]}. The data and label should have the same "
                "first dimension. Reshape one of them."
            )
        return [()]


class LabelLoss(LossLayer):
    """The second bottom holds class labels; a batch with other values in it is refused."""

    classes: int
    ignore_label: int | None = None

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        check_labels(bottom[1].tensor, self.classes, self.ignore_label, self)
        super().forward(bottom, top)


def ignore_label_of(param: caffe_pb2.LossParameter | caffe_pb2.AccuracyParameter) -> int | None:
    """The ignore_label of a LossParameter or AccuracyParameter, if it has one."""
    return param.ignore_label if param.HasField("ignore_label") else None


def normalization_of(param: caffe_pb2.LossParameter, default: int) -> int:
    """The NormalizationMode that a LossParameter asks for; `normalize` is its old name."""
    if param.HasField("normalization"):
        return param.normalization
    if param.HasField("normalize"):
        return Modes.VALID if param.normalize else Modes.BATCH_SIZE
    return default


def normalizer(mode: int, outer: int, inner: int, counted: torch.Tensor | None) -> torch.Tensor | int:
    """What the sum of the losses is divided by, at least 1. counted: which labels are not ignored; None: all."""
    if mode == Modes.VALID and counted is not None:
        return counted.sum().clamp(min=1)
    return max(1, {Modes.BATCH_SIZE: outer, Modes.NONE: 1}.get(mode, outer * inner))


def legacy_shape(shape: Shape, layer: NativeLayer) -> tuple[int, int, int, int]:
    """(num, channels, height, width) of a blob of up to 4 axes (Blob::LegacyShape)."""
    if len(shape) > 4:
        raise ShapeError(
            f"{layer}: bottom is {shape_text(shape)}, expected at most 4 axes: Cannot use legacy accessors on Blobs "
            "with > 4 axes. Flatten or reshape it."
        )
    num, channels, height, width = (*shape, 1, 1, 1, 1)[:4]
    return num, channels, height, width
