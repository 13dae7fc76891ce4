"""Losses of scores against class labels."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.formats import binaryproto
from caffe.layer_types.base import Shape, layer_type
from caffe.layer_types.helpers import class_weights
from caffe.layer_types.helpers.axes import canonical
from caffe.layer_types.helpers.labels import indices, places
from caffe.layer_types.helpers.loss_base import (
    LabelLoss,
    Modes,
    ignore_label_of,
    legacy_shape,
    normalization_of,
    normalizer,
)
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

LOG_FLT_MIN = math.log(torch.finfo(torch.float32).tiny)
LOG_THRESHOLD = 1e-20


class SoftmaxLoss(LabelLoss):
    """A loss of the softmax of scores over an axis, summed over all labels that count, normalized."""

    tops = (1, 2)
    axis: int
    normalization: int
    gives_p: bool

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shapes = super().top_shapes(*bottoms)
        self.outer, self.classes, self.inner = places(bottoms[0], bottoms[1], self.axis, self)
        return [*shapes, bottoms[0]] if self.gives_p else shapes

    def arranged(
        self, scores: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Scores (outer, classes, inner), class numbers (outer, 1, inner), where a label counts (None: everywhere)."""
        index, counted = indices(labels.reshape(self.outer, 1, self.inner), self.classes, self.ignore_label)
        return scores.reshape(self.outer, self.classes, self.inner), index, counted

    def result(
        self, total: torch.Tensor, counted: torch.Tensor | None, scores: torch.Tensor, log_p: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        loss = total / normalizer(self.normalization, self.outer, self.inner, counted)
        return (loss, log_p.detach().exp().reshape(scores.shape)) if self.gives_p else (loss,)


@layer_type
class SoftmaxWithLoss(SoftmaxLoss):
    """The multinomial logistic loss of the softmax of scores: cross entropy.

    y = −Σ log max(p[label], FLT_MIN) / normalizer, p = softmax of the scores over `axis`
    bottom: scores; labels, one for each place around the axis: whole numbers 0 … C − 1, or ignore_label
    top: the loss, one number; if named, p
    parameters: axis (softmax_param); ignore_label, normalization: VALID (labels not ignored; the default), FULL
        (labels), BATCH_SIZE (the axes before `axis`) or NONE; normalize, its old name: true is VALID, false BATCH_SIZE;
        of forks: weights of the classes (helpers/class_weights.py)
    source: src/caffe/layers/softmax_loss_layer.cpp
    """

    settings = ("loss_param", "softmax_param", "softmaxloss_param")
    ignored = {"engine": "one implementation"}

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.loss_param
        self.axis, self.gives_p = self.layer_param.softmax_param.axis, len(top) == 2
        self.ignore_label = ignore_label_of(param)
        self.normalization = normalization_of(param, default=Modes.VALID)
        scores = tuple(bottom[0].shape)
        self.weights = class_weights.read(self, scores[canonical(self.axis, scores, self)])
        if self.weights is not None and self.weights.ignored:
            self.ignore_label = self.weights.ignored[0]

    def compute(self, scores: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows, index, counted = self.arranged(scores, labels)
        if self.weights is not None:
            log_p = torch.log_softmax(rows, 1)
            loss = self.weights.loss(log_p, index, counted, self.normalization, self.outer)
            return (loss, log_p.detach().exp().reshape(scores.shape)) if self.gives_p else (loss,)
        total, log_p = _CrossEntropy.apply(rows, index, counted)
        return self.result(total, counted, scores, log_p)

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return 4 * bottom[0].count


class _CrossEntropy(torch.autograd.Function):
    """Σ −log max(p, FLT_MIN), with Caffe's gradient p − 1[label], which does not see the limit. Keeps one array."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, index: torch.Tensor, counted: torch.Tensor | None) -> Any:
        log_p = F.log_softmax(rows, 1)
        chosen = log_p.gather(1, index)
        ctx.save_for_backward(log_p, chosen, index, counted)
        ctx.mark_non_differentiable(log_p)
        ctx.set_materialize_grads(False)
        losses = chosen.clamp(min=LOG_FLT_MIN)
        return -(losses if counted is None else losses.where(counted, 0)).sum(), log_p

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        log_p, chosen, index, counted = ctx.saved_tensors
        gradient = log_p.exp().scatter_(1, index, chosen.expm1()).mul_(gradients[0])
        if counted is not None:
            gradient.masked_fill_(~counted, 0)
        return gradient, None, None


class _AtLeast(torch.autograd.Function):
    """A lower limit that the gradient does not see."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: float) -> torch.Tensor:
        return x.clamp(min=low)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return gradients[0], None


@layer_type
class InfogainLoss(SoftmaxLoss):
    """The multinomial logistic loss of the softmax of scores, with a weight for every pair of label and class.

    y = −Σ H[label, k] · log max(p[k], 1e-20) / normalizer, p = softmax of the scores over `axis`
    bottom: scores; labels, one for each place around the axis; optionally H (C × C numbers), without gradient
    top: the loss, one number; if named, p
    parameters: source (a binaryproto file with H), axis (default 1); ignore_label, normalization (default VALID)
    restrictions: two bottoms need a source; `normalize` is refused
    source: src/caffe/layers/infogain_loss_layer.cpp
    """

    bottoms = (2, 3)
    settings = ("infogain_loss_param", "loss_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param, loss_param = self.layer_param.infogain_loss_param, self.layer_param.loss_param
        self.axis, self.gives_p = param.axis, len(top) == 2
        self.ignore_label = ignore_label_of(loss_param)
        if loss_param.HasField("normalize"):
            raise NetError(
                f'{self}: loss_param has `normalize`, but normalize is deprecated. use "normalization". Correct it.'
            )
        self.normalization = loss_param.normalization
        self.matrix: torch.Tensor | None = None
        if len(bottom) < 3:
            if not param.HasField("source"):
                raise NetError(
                    f"{self}: two bottoms and no source. Infogain matrix source must be specified. Name a binaryproto "
                    "file in infogain_loss_param, or give the matrix as third bottom."
                )
            self.matrix = torch.from_numpy(binaryproto.read(param.source).copy())

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shapes = super().top_shapes(*bottoms)
        matrix = bottoms[2] if self.matrix is None else tuple(self.matrix.shape)
        found, expected = math.prod(matrix), self.classes**2
        if found != expected:
            raise ShapeError(
                f"{self}: the infogain matrix is {shape_text(matrix)}, expected {self.classes}×{self.classes}, a row "
                "for each "
                f"label: infogain->count() == num_labels_*num_labels_ ({found} vs. {expected}). Give it another matrix."
            )
        return shapes

    def compute(
        self, scores: torch.Tensor, labels: torch.Tensor, matrix: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        rows, index, counted = self.arranged(scores, labels)
        if self.matrix is not None:
            matrix = self.matrix = self.matrix.to(rows)
        assert matrix is not None
        weights = matrix.detach().reshape(self.classes, self.classes)[index.squeeze(1)].movedim(-1, 1)
        if counted is not None:
            weights = weights * counted
        log_p = F.log_softmax(rows, 1)
        total = -(weights * _AtLeast.apply(log_p, math.log(LOG_THRESHOLD))).sum()
        return self.result(total, counted, scores, log_p)

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        if len(propagate_down) > 2 and propagate_down[2]:
            raise NetError(
                f"{self}: {self.type} Layer cannot backpropagate to infogain inputs (bottom 2). Set propagate_down: "
                "false for it, and no force_backward."
            )
        super().backward(top, propagate_down, bottom)


@layer_type
class MultinomialLogisticLoss(LabelLoss):
    """The multinomial logistic loss of probabilities; SoftmaxWithLoss takes scores, and its gradient is stabler.

    y = −Σ log max(x[n, label[n]], 1e-20) / N
    bottom: probabilities (N, …); labels (N, 1, 1, 1): whole numbers that count through the other axes
    top: the loss, one number
    restrictions: at most 4 axes
    source: src/caffe/layers/multinomial_logistic_loss_layer.cpp
    """

    def top_shapes(self, x: Shape, labels: Shape) -> list[Shape]:
        shapes = super().top_shapes(x, labels)
        _, *dims = legacy_shape(labels, self)
        for name, size in zip(("channels", "height", "width"), dims, strict=True):
            if size != 1:
                raise ShapeError(
                    f"{self}: labels are {labels}, expected one for each of the {labels[0]} items: "
                    f"bottom[1]->{name}() == 1 ({size} vs. 1). For a map of labels use SoftmaxWithLoss."
                )
        self.classes = math.prod(legacy_shape(x, self)[1:])
        return shapes

    def compute(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        index, _ = indices(labels.reshape(-1, 1), self.classes)
        chosen = x.reshape(len(x), -1).gather(1, index)
        return -_AtLeast.apply(chosen, LOG_THRESHOLD).log().sum() / len(x)


@layer_type
class HingeLoss(LabelLoss):
    """The hinge loss of one class against all others.

    y = Σ max(0, 1 − t x) / N with t = 1 for the label's class, else −1; with norm: L2 the sum of squares
    bottom: scores (N, …); labels (N): whole numbers that count through the other axes (of more, the first N are read)
    top: the loss, one number
    parameters: norm (L1 by default)
    restrictions: at most 4 axes
    source: src/caffe/layers/hinge_loss_layer.cpp
    """

    settings = "hinge_loss_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.squares = self.layer_param.hinge_loss_param.norm == caffe_pb2.HingeLossParameter.L2

    def top_shapes(self, x: Shape, labels: Shape) -> list[Shape]:
        shapes = super().top_shapes(x, labels)
        self.classes = math.prod(legacy_shape(x, self)[1:])
        return shapes

    def compute(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(len(x), -1)
        index, _ = indices(labels.reshape(-1)[: len(x)].unsqueeze(1), self.classes)
        sign = torch.ones_like(rows).scatter(1, index, -1)
        margins = torch.relu(1 + sign * rows)
        return (margins.square() if self.squares else margins).sum() / len(x)
