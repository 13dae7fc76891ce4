"""Losses: of boxes, and the hard examples among regions (Fast R-CNN, SSD, R-FCN)."""

from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.labels import check_labels, indices, places
from caffe.layer_types.helpers.loss_base import LossLayer, Modes, ignore_label_of, normalization_of, normalizer
from caffe.proto import caffe_pb2

PRE_FIXED = caffe_pb2.LossParameter.NormalizationMode.Value("PRE_FIXED")


class _SmoothL1(LossLayer):
    settings: ClassVar[str | tuple[str, ...]] = "smooth_l1_loss_param"
    bottoms = (2, 4)
    no_gradient = ()
    constant = (2, 3)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.sharpness = self.layer_param.smooth_l1_loss_param.sigma**2
        if self.sharpness <= 0:
            raise NetError(f"{self}: sigma is 0, expected a number above 0. Correct it.")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if any(shape != bottoms[0] for shape in bottoms[1:]):
            raise ShapeError(f"{self}: bottoms are {bottoms}; expected the same shape of all. Reshape them.")
        return [()]

    def losses(self, a: torch.Tensor, b: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        """Of each element."""
        inside = weights[0].detach() if weights else 1
        away = inside * (a - b)
        near = away.abs() < 1 / self.sharpness
        each = torch.where(near, self.sharpness / 2 * away.square(), away.abs() - 0.5 / self.sharpness)
        return each * weights[1].detach() if len(weights) > 1 else each


@register_layer
class SmoothL1Loss(_SmoothL1):
    """The absolute difference, rounded off at 0.

    y = Σ w_out · f(w_in · (a − b)) / normalizer, f(d) = σ² d² / 2 where |d| < 1 / σ², else |d| − 1 / (2 σ²)
    bottom: a, b (N, …), if given w_in (SSD), w_in and w_out (Fast R-CNN) of their shape
    top: the loss, one number
    parameters: sigma (1); loss_param: normalization PRE_FIXED (R-FCN's: the normalizer is pre_fixed_normalizer); with
        any other, and without, it is N
    source: Fast R-CNN: src/caffe/layers/smooth_L1_loss_layer.cpp
    """

    settings = ("smooth_l1_loss_param", "loss_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        super().setup(bottom, top)
        self.fixed = fixed_normalizer(self)

    def compute(self, a: torch.Tensor, b: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        return self.losses(a, b, *weights).sum() / (self.fixed or len(a))


def fixed_normalizer(layer: TorchLayer) -> float | None:
    """What PRE_FIXED divides by; None with another normalization. NetError for what is not above 0."""
    param = layer.layer_param.loss_param
    if param.pre_fixed_normalizer <= 0:
        raise NetError(
            f"{layer}: pre_fixed_normalizer is {param.pre_fixed_normalizer:g}, expected a number above 0. Correct it."
        )
    return param.pre_fixed_normalizer if param.normalization == PRE_FIXED else None


class _OfRegions:
    """What losses have in common that also tell the loss of each region."""

    normalization: int
    fixed: float

    def read(self, layer: TorchLayer, default: int) -> None:
        param = layer.layer_param.loss_param
        self.normalization, self.fixed = normalization_of(param, default), param.pre_fixed_normalizer
        if self.fixed <= 0:
            raise NetError(f"{layer}: pre_fixed_normalizer is {self.fixed:g}, expected a number above 0. Correct it.")

    def divisor(self, outer: int, inner: int, counted: torch.Tensor | None) -> torch.Tensor | float:
        return self.fixed if self.normalization == PRE_FIXED else normalizer(self.normalization, outer, inner, counted)


@register_layer
class SmoothL1LossOHEM(_SmoothL1, _OfRegions):
    """SmoothL1Loss that also tells the loss of each region.

    y[0] = Σ w_out · f(w_in · (a − b)) / normalizer, y[1][n, 0, h, w] = Σ_c of its terms; f as of SmoothL1Loss
    bottom: a, b (N, C, H, W), if given w_in, w_out
    top: the loss, one number; if named, of each region (N, 1, H, W), which has no gradient
    parameters: sigma (1); loss_param: normalization (BATCH_SIZE: N, the default; VALID and FULL: N · H · W; PRE_FIXED:
        pre_fixed_normalizer; NONE)
    source: R-FCN: src/caffe/layers/smooth_L1_loss_ohem_layer.cu
    """

    settings = ("smooth_l1_loss_param", "loss_param")
    tops = (1, 2)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        super().setup(bottom, top)
        self.read(self, Modes.BATCH_SIZE)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [*super().top_shapes(*bottoms), (bottoms[0][0], 1, *bottoms[0][2:])]

    def compute(self, a: torch.Tensor, b: torch.Tensor, *weights: torch.Tensor) -> list[torch.Tensor]:
        each = self.losses(a, b, *weights).sum(1, keepdim=True)
        return [each.sum() / self.divisor(len(a), each.numel() // len(a), None), each.detach()]


@register_layer
class SoftmaxWithLossOHEM(LossLayer, _OfRegions):
    """SoftmaxWithLoss that also tells the loss of each region.

    y[0] = −Σ log p[label] / normalizer, y[2][n, 0, h, w] = its terms; p = softmax of the scores
    bottom: scores (N, C, …); labels, one for each place
    top: the loss, one number; if named, p; then the losses (N, 1, …), which have no gradient
    parameters: axis (softmax_param); ignore_label, normalization: VALID (the default), FULL, BATCH_SIZE, NONE,
        PRE_FIXED (pre_fixed_normalizer)
    source: R-FCN: src/caffe/layers/softmax_loss_ohem_layer.cpp
    """

    settings = ("loss_param", "softmax_param")
    tops = (1, 3)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.axis = self.layer_param.softmax_param.axis
        self.ignore_label = ignore_label_of(self.layer_param.loss_param)
        self.read(self, Modes.VALID)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, labels = bottoms
        self.outer, self.classes, self.inner = places(scores, labels, self.axis, self)
        return [(), scores, (*scores[: self.axis], 1, *scores[self.axis + 1 :])]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        check_labels(bottom[1].tensor, self.classes, self.ignore_label, self)
        super().forward(bottom, top)

    def compute(self, scores: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        index, counted = indices(labels.reshape(self.outer, 1, self.inner), self.classes, self.ignore_label)
        log_p = F.log_softmax(scores.reshape(self.outer, self.classes, self.inner), 1)
        each = -log_p.gather(1, index)
        each = each if counted is None else each.where(counted, 0)
        loss = each.sum() / self.divisor(self.outer, self.inner, counted)
        shape = (*scores.shape[: self.axis], 1, *scores.shape[self.axis + 1 :])
        return [loss, log_p.detach().exp().reshape(scores.shape), each.detach().reshape(shape)]


@register_layer
class BoxAnnotatorOHEM(TorchLayer):
    """Keeps, of the regions of each image, those that are learned worst. It has no gradient.

    y = labels and box weights of the roi_per_img regions with the largest loss of each image; the others' labels become
        ignore_label, their weights 0
    bottom: regions (R, 5), the loss of each (R, 1, 1, 1), labels (R), box weights (R, …)
    top: labels, box weights
    parameters: roi_per_img, ignore_label (−1)
    source: R-FCN: src/caffe/layers/box_annotator_ohem_layer.cpp
    """

    bottoms = 4
    tops = 2
    settings = "box_annotator_ohem_param"
    differentiable = False
    traits = replace(TorchLayer.traits)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        if self.message.roi_per_img < 1:
            raise NetError(f"{self}: roi_per_img is required. Set it, to at least 1.")

    def top_shapes(self, regions: Shape, losses: Shape, labels: Shape, weights: Shape) -> list[Shape]:
        if not regions[0] == losses[0] == labels[0] == weights[0]:
            raise ShapeError(
                f"{self}: bottoms are {regions}, {losses}, {labels} and {weights}; expected as many regions in each."
                " Correct the shapes."
            )
        return [labels, weights]

    def compute(
        self, regions: torch.Tensor, losses: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
    ) -> list[torch.Tensor]:
        images, each = regions.detach().reshape(len(regions), -1)[:, 0], losses.detach().reshape(len(losses), -1).sum(1)
        kept = torch.zeros(len(regions), dtype=torch.bool, device=regions.device)
        for image in images.unique():
            of_image = (images == image).nonzero()[:, 0]
            order = each[of_image].argsort(descending=True, stable=True)
            kept[of_image[order[: self.message.roi_per_img]]] = True
        chosen = [kept.reshape(-1, *[1] * (values.dim() - 1)) for values in (labels, weights)]
        ignored = torch.full_like(labels, self.message.ignore_label)
        return [
            torch.where(chosen[0], labels.detach(), ignored),
            torch.where(chosen[1], weights.detach(), torch.zeros_like(weights)),
        ]
