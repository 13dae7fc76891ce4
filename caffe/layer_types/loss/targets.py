"""Losses of values against targets, and of pairs."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import ShapeError
from caffe.layer_types.base import Shape, layer_type
from caffe.layer_types.helpers.loss_base import (
    LossLayer,
    Modes,
    ignore_label_of,
    legacy_shape,
    normalization_of,
    normalizer,
)
from caffe.shapes import shape_text


@layer_type
class EuclideanLoss(LossLayer):
    """The sum of squared differences, for regression.

    y = Σ (a − b)² / (2 N)
    bottom: a, b (N, …); both have a gradient
    top: the loss, one number
    restrictions: at most 4 axes
    source: src/caffe/layers/euclidean_loss_layer.cpp
    """

    no_gradient = ()

    def top_shapes(self, a: Shape, b: Shape) -> list[Shape]:
        shapes = super().top_shapes(a, b)
        if math.prod(a[1:]) != math.prod(b[1:]):
            raise ShapeError(
                f"{self}: bottoms are {a} and {b}. Inputs must have the same dimension. Reshape or crop one."
            )
        legacy_shape(a, self)
        return shapes

    def compute(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b.reshape(a.shape)).square().sum() / (2 * len(a))


@layer_type
class SigmoidCrossEntropyLoss(LossLayer):
    """The cross entropy of the sigmoid of scores and target probabilities, each element for itself.

    y = −Σ (t log p + (1 − t) log(1 − p)) / normalizer, p = sigmoid(x)
    bottom: scores x (N, …), targets t of the same count
    top: the loss, one number
    parameters: ignore_label (compared with the whole part of t), normalization: BATCH_SIZE (N; the default), VALID
        (targets not ignored), FULL (targets) or NONE; normalize, its old name: true is VALID, false BATCH_SIZE
    source: src/caffe/layers/sigmoid_cross_entropy_loss_layer.cpp
    """

    settings = "loss_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.loss_param
        self.ignore_label = ignore_label_of(param)
        self.normalization = normalization_of(param, default=Modes.BATCH_SIZE)

    def top_shapes(self, x: Shape, targets: Shape) -> list[Shape]:
        shapes = super().top_shapes(x, targets)
        if math.prod(x) != math.prod(targets):
            raise ShapeError(
                f"{self}: scores are {x}, targets {targets}. SIGMOID_CROSS_ENTROPY_LOSS layer inputs must have the "
                "same count. Reshape or crop one."
            )
        return shapes

    def compute(self, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        targets = targets.detach().reshape(x.shape)
        losses = F.binary_cross_entropy_with_logits(x, targets, reduction="none")
        counted = None if self.ignore_label is None else targets.trunc() != self.ignore_label
        if counted is not None:
            losses = losses.where(counted, 0)
        return losses.sum() / normalizer(self.normalization, len(x), math.prod(x.shape[1:]), counted)


@layer_type
class ContrastiveLoss(LossLayer):
    """Pulls similar pairs together and pushes the others a margin apart, for siamese nets.

    y = Σ (d² for a similar pair, else max(0, margin − d)²) / (2 N), d = |a − b|; legacy_version: max(0, margin − d²)
    bottom: a, b (N, C); whether the pair is similar (N): 0 is not, all else is
    top: the loss, one number
    parameters: margin, legacy_version
    source: src/caffe/layers/contrastive_loss_layer.cpp
    """

    bottoms = 3
    no_gradient = ()
    settings = "contrastive_loss_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.contrastive_loss_param
        self.margin, self.legacy_version = param.margin, param.legacy_version

    def allow_force_backward(self, bottom_index: int) -> bool:
        return bottom_index != 2

    def top_shapes(self, a: Shape, b: Shape, similar: Shape) -> list[Shape]:
        shapes = [legacy_shape(shape, self) for shape in (a, b, similar)]
        self._expect(a, "bottom[0]->channels() == bottom[1]->channels()", shapes[0][1], shapes[1][1])
        for index, axis, name in ((0, 2, "height"), (0, 3, "width"), (1, 2, "height"), (1, 3, "width")):
            self._expect((a, b)[index], f"bottom[{index}]->{name}() == 1", shapes[index][axis], 1)
        for axis, name in ((1, "channels"), (2, "height"), (3, "width")):
            self._expect(similar, f"bottom[2]->{name}() == 1", shapes[2][axis], 1)
        if shapes[2][0] < shapes[0][0]:
            raise ShapeError(
                f"{self}: bottom 2 is {shape_text(similar)}, expected a number for each of the {a[0]} pairs."
                " Correct the shape."
            )
        return super().top_shapes(a, b)

    def _expect(self, shape: Shape, condition: str, found: int, expected: int) -> None:
        if found != expected:
            raise ShapeError(
                f"{self}: a bottom is {shape_text(shape)}, expected (N, C) twice, then (N): {condition} ({found} vs. "
                f"{expected}). Reshape it."
            )

    def compute(self, a: torch.Tensor, b: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        count = len(a)
        squares = (a - b.reshape(a.shape)).reshape(count, -1).square().sum(1)
        if self.legacy_version:
            apart = torch.relu(self.margin - squares)
        else:
            apart = torch.relu(self.margin - _Root.apply(squares)).square()
        together = similar.detach().reshape(-1)[:count].trunc() != 0
        return torch.where(together, squares, apart).sum() / (2 * count)


class _Root(torch.autograd.Function):
    """The square root with Caffe's gradient, which is finite at 0."""

    @staticmethod
    def forward(ctx: Any, squares: torch.Tensor) -> torch.Tensor:
        roots = squares.sqrt()
        ctx.save_for_backward(roots)
        return roots

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (roots,) = ctx.saved_tensors
        return gradients[0] / (2 * (roots + 1e-4))
