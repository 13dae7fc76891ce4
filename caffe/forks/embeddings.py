"""Embeddings: losses and products of face recognition (SphereFace, caffe-windows), and dropout of whole channels."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from caffe import device
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.axes import canonical
from caffe.layer_types.helpers.labels import check_labels, indices, places
from caffe.layer_types.helpers.loss_base import LabelLoss, Modes, normalization_of, normalizer
from caffe.proto import caffe_pb2

MARGINS = caffe_pb2.MarginInnerProductParameter
ORIGIN, LINEAR, ONEADDP = (caffe_pb2.FocalLossParameter.Type.Value(name) for name in ("ORIGIN", "LINEAR", "ONEADDP"))


@register_layer
class CenterLoss(LabelLoss):
    """How far features are from the centre of their class; the centres are learned.

    y = ½ Σ_n |x[n] − centre[label[n]]|² / N; the gradient of a centre is m Σ (centre − x[n]) / (m + 1) over its m
        samples, whatever the loss's weight
    bottom: x (N, …), labels (N)
    top: the loss, one number
    blobs: centres (num_output, features)
    parameters: num_output (classes), center_filler, axis (1)
    source: caffe-face: src/caffe/layers/center_loss_layer.cpp
    """

    settings = "center_loss_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.classes = param.num_output
        features = math.prod(bottom[0].shape[canonical(param.axis, bottom[0].shape, self) :])
        if self.classes < 1:
            raise NetError(f"{self}: num_output is {self.classes}, expected the number of classes. Set it.")
        self.add_param((self.classes, features), param.center_filler)

    def compute(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        index, rows = labels.detach().long().reshape(-1), x.reshape(len(x), -1)
        centres = self.tensors[0]
        loss = (rows - centres.detach()[index]).square().sum() / (2 * len(x))
        if not centres.requires_grad:
            return loss
        away = torch.zeros_like(centres).index_add(0, index, centres.detach()[index] - rows.detach())
        counts = torch.bincount(index, minlength=self.classes).to(x.dtype)[:, None]
        return _WithGradient.apply(loss, centres, counts * away / (counts + 1))


class _WithGradient(torch.autograd.Function):
    """A loss whose parameters have a gradient of their own, which the loss's weight does not scale."""

    @staticmethod
    def forward(ctx, loss, parameters, gradient):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(gradient)
        return loss.clone()

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return grad, ctx.saved_tensors[0], None


@register_layer
class FocalLoss(LabelLoss):
    """Cross entropy that counts well known examples less.

    y = −Σ (α − p)^γ · log p / normalizer, p = softmax(x)[label]; ONEADDP: (α + p)^γ
    bottom: scores (N, C, …), labels
    top: the loss, one number
    parameters: type (ORIGIN, ONEADDP), gamma (2), alpha (1; no factor); softmax_param: axis; loss_param: ignore_label,
        normalization
    restrictions: LINEAR is refused
    source: caffe-windows: src/caffe/layers/focal_loss_layer.cpp
    """

    settings = ("focal_loss_param", "softmax_param", "loss_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.focal_loss_param
        if param.type not in (ORIGIN, ONEADDP):
            raise NetError(f"{self}: type is LINEAR, which is not implemented; expected ORIGIN or ONEADDP. Correct it.")
        self.gamma, self.alpha, self.sign = param.gamma, param.alpha, 1 if param.type == ONEADDP else -1
        self.axis, loss = self.layer_param.softmax_param.axis, self.layer_param.loss_param
        self.ignore_label = loss.ignore_label if loss.HasField("ignore_label") else None
        self.normalization = normalization_of(loss, Modes.VALID)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        shapes = super().top_shapes(*bottoms)
        self.outer, self.classes, self.inner = places(bottoms[0], bottoms[1], self.axis, self)
        return shapes

    def compute(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        index, counted = indices(labels.reshape(self.outer, 1, self.inner), self.classes, self.ignore_label)
        log_p = F.log_softmax(scores.reshape(self.outer, self.classes, self.inner), 1).gather(1, index)
        each = -((self.alpha + self.sign * log_p.exp()).clamp(min=0) ** self.gamma) * log_p
        each = each if counted is None else each.where(counted, 0)
        return each.sum() / normalizer(self.normalization, self.outer, self.inner, counted)


@register_layer
class LabelSpecificAdd(TorchLayer):
    """Adds a bias to the score of the label, in training.

    y[n, label[n]] = x[n, label[n]] + bias where x[n, label[n]] > −bias, all else unchanged; in TEST y = x unless
        transform_test
    bottom: scores (N, C), labels (N)
    top: like the scores
    parameters: bias, transform_test (false)
    source: caffe-windows: src/caffe/layers/label_specific_add_layer.cpp
    """

    bottoms = 2
    tops = 1
    settings = "label_specific_add_param"
    no_gradient = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.bias = self.message.bias
        self.adds = self.phase == caffe_pb2.TRAIN or self.message.transform_test

    def top_shapes(self, x: Shape, labels: Shape) -> list[Shape]:
        if math.prod(labels) != x[0]:
            raise ShapeError(f"{self}: scores are {x}, labels {labels}; expected a label for each item. Reshape them.")
        self.classes = math.prod(x[1:])
        return [x]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        check_labels(bottom[1].tensor, self.classes, None, self)
        super().forward(bottom, top)

    def compute(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if not self.adds:
            return x.clone()
        rows = x.reshape(len(x), -1)
        here = F.one_hot(labels.detach().long().reshape(-1), self.classes).bool() & (rows.detach() > -self.bias)
        return (rows + self.bias * here.to(x.dtype)).reshape(x.shape)


@register_layer
class MarginInnerProduct(TorchLayer):
    """SphereFace's inner product: with rows of length 1, and a margin of the angle at the label.

    y[k] = x · W[k], W[k] of length 1; at the label (λ · |x| cos θ + |x| · ψ) / (1 + λ), ψ = (−1)^j cos(m θ) − 2 j for
        θ in [j π / m, (j + 1) π / m]; λ = max(lambda_min, base · (1 + gamma · pass)^(−power)), a pass being one in
        TRAIN
    bottom: x (N, …), labels (N)
    top: scores (N, num_output); λ, one number
    blobs: W (num_output, features), whose rows each pass sets to length 1
    parameters: num_output, type (SINGLE, DOUBLE, TRIPLE, QUADRUPLE: m = 1 … 4), weight_filler, axis (1), base (1),
        gamma (0), power (1), iteration (0: passes before the first), lambda_min (0)
    source: SphereFace: src/caffe/layers/margin_inner_product_layer.cpp; its gradient of W[label] is scaled to length 1,
        which it is not here
    """

    bottoms = 2
    tops = 2
    settings = "margin_inner_product_param"
    no_gradient = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.classes, self.margin, self.passes = param.num_output, param.type + 1, param.iteration
        self.features = math.prod(bottom[0].shape[canonical(param.axis, bottom[0].shape, self) :])
        if self.classes < 1:
            raise NetError(f"{self}: num_output is {self.classes}, expected the number of classes. Set it.")
        self.add_param((self.classes, self.features), param.weight_filler)
        self.softness = self._softness()

    def _softness(self) -> float:
        param = self.message
        return max(param.lambda_min, param.base * (1 + param.gamma * self.passes) ** -param.power)

    def top_shapes(self, x: Shape, labels: Shape) -> list[Shape]:
        if math.prod(labels) != x[0] or math.prod(x[1:]) != self.features:
            raise ShapeError(
                f"{self}: bottoms are {x} and {labels}; expected a label for each item, and {self.features} features."
                " Correct the shapes."
            )
        return [(x[0], self.classes), (1,)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        check_labels(bottom[1].tensor, self.classes, None, self)
        if self.phase == caffe_pb2.TRAIN:
            self.passes += 1
        self.softness = self._softness()
        weights = self.blobs[0].tensor
        self.blobs[0].tensor = weights / weights.norm(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        super().forward(bottom, top)

    def compute(self, x: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        rows, weights = x.reshape(len(x), -1), self.tensors[0]
        scores = rows @ weights.T
        softness = scores.new_full((1,), self.softness)
        if self.margin == 1:
            return [scores, softness]
        index = labels.detach().long().reshape(-1, 1)
        lengths = rows.norm(dim=1, keepdim=True)
        plain = scores.gather(1, index)
        cosine = (plain / lengths.clamp(min=torch.finfo(torch.float32).tiny)).clamp(-1, 1)
        angle = cosine.detach().acos()
        step = (angle * self.margin / math.pi).floor().clamp(max=self.margin - 1)
        margined = lengths * ((1 - 2 * (step % 2)) * chebyshev(cosine, self.margin) - 2 * step)
        mixed = (self.softness * plain + margined) / (1 + self.softness)
        return [scores.scatter(1, index, mixed), softness]


def chebyshev(cosine: torch.Tensor, times: int) -> torch.Tensor:
    """cos(times · θ) from cos θ."""
    before, value = torch.ones_like(cosine), cosine
    for _ in range(times - 1):
        before, value = value, 2 * cosine * value - before
    return value


@register_layer
class SpatialDropout(TorchLayer):
    """Sets whole channels to zero at random in TRAIN, scaling the others up; passes everything in TEST.

    y[n, c] = x[n, c] · m[n, c] / (1 − dropout_ratio), m = 1 with probability 1 − dropout_ratio, else 0
    bottom: x (N, C, …)
    top: like x
    parameters: dropout_ratio (0.5)
    source: Intel Caffe: src/caffe/layers/spatial_dropout_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "dropout_param"
    traits = replace(TorchLayer.traits, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.ratio = self.layer_param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise NetError(f"{self}: dropout_ratio is {self.ratio:g}, expected 0 or more, and less than 1. Correct it.")
        self.mask: torch.Tensor | None = None

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        if self.phase == caffe_pb2.TRAIN:
            x = bottom[0].shape
            keep = torch.empty((*x[:2], *[1] * (len(x) - 2)), dtype=torch.float32, device=device.current())
            self.mask = keep.bernoulli_(1 - self.ratio, generator=device.generator()) / (1 - self.ratio)
        super().forward(bottom, top)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone() if self.mask is None else x * self.mask.to(x)
