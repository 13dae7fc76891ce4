"""Scores become probabilities; how many of them are right."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from caffe.blob import Blob
from caffe.errors import ShapeError
from caffe.layer_types.base import Rows, Shape, TorchLayer, layer_type
from caffe.layer_types.helpers.axes import canonical
from caffe.layer_types.helpers.labels import check_labels, indices, places


@layer_type
class Softmax(TorchLayer):
    """Probabilities from scores.

    y = exp(x) / Σ exp(x), the sum over one axis
    bottom: scores
    top: like the bottom
    parameters: axis (default 1)
    source: src/caffe/layers/softmax_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "softmax_param"
    traits = replace(TorchLayer.traits, replayable=True)
    ignored = {"engine": "one implementation"}

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.axis_setting = self.layer_param.softmax_param.axis

    def top_shapes(self, x: Shape) -> list[Shape]:
        self.axis = canonical(self.axis_setting, x, self)
        return [x]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return None if self.axis == 2 else Rows()

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, self.axis)

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return 4 * top[0].count


@layer_type
class Accuracy(TorchLayer):
    """The share of labels whose class is among the top_k highest scores. It has no gradient.

    y = right labels / labels; a label is right if fewer than top_k other classes score as high as its class
    bottom: scores; labels, one for each place around the axis: whole numbers 0 … C − 1, or ignore_label
    top: the accuracy, one number; if named, the accuracy of each class (C), 0 for a class without labels
    parameters: top_k (default 1), axis (default 1), ignore_label
    source: src/caffe/layers/accuracy_layer.cpp
    """

    bottoms = 2
    tops = (1, 2)
    settings = "accuracy_param"
    traits = replace(TorchLayer.traits, replayable=True)
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.accuracy_param
        self.top_k, self.axis, self.by_class = param.top_k, param.axis, len(top) == 2
        self.ignore_label = param.ignore_label if param.HasField("ignore_label") else None

    def top_shapes(self, scores: Shape, labels: Shape) -> list[Shape]:
        self.outer, self.classes, self.inner = places(scores, labels, self.axis, self)
        if self.top_k > self.classes:
            raise ShapeError(
                f"{self}: top_k is {self.top_k}, with {self.classes} classes on axis {self.axis} of {scores}. "
                "top_k must be less than or equal to the number of classes."
                " Lower it."
            )
        return [(), (self.classes,)] if self.by_class else [()]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        check_labels(bottom[1].tensor, self.classes, self.ignore_label, self)
        super().forward(bottom, top)

    def compute(self, scores: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        rows = scores.detach().reshape(self.outer, self.classes, self.inner)
        index, counted = indices(labels.reshape(self.outer, 1, self.inner), self.classes, self.ignore_label)
        if counted is None:
            counted = torch.ones_like(index, dtype=torch.bool)
        as_high = (rows >= rows.gather(1, index)).sum(1, keepdim=True)
        right = (as_high <= self.top_k) & counted
        accuracy = right.sum().float() / counted.sum().clamp(min=1)
        if not self.by_class:
            return [accuracy]
        of_class, places_of = index.new_zeros(2, self.classes), index.reshape(-1)
        of_class[0].scatter_add_(0, places_of, right.reshape(-1).long())
        of_class[1].scatter_add_(0, places_of, counted.reshape(-1).long())
        return [accuracy, of_class[0].float() / of_class[1].clamp(min=1)]
