"""Normalisation: by neighbours (LRN), within one input (MVN), over the batch (BatchNorm)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from caffe import limits, ops
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Rows, Shape, TorchLayer, layer_type
from caffe.layer_types.helpers.axes import canonical
from caffe.layer_types.helpers.spatial import check_image
from caffe.proto import caffe_pb2

NVIDIA_LEAST_EPS = 1e-5


@layer_type
class LRN(TorchLayer):
    """Local response normalisation: divides by the energy of the neighbourhood.

    y = x · (k + alpha / n · Σ x²)^−beta over the local_size = n nearest channels; with WITHIN_CHANNEL over n × n pixels
        (alpha / n² · Σ x², and k is always 1)
    bottom: (N, C, H, W)
    top: like the bottom
    parameters: local_size (odd, default 5), alpha, beta, norm_region (ACROSS_CHANNELS, WITHIN_CHANNEL), k
    restrictions: local_size is odd
    source: src/caffe/layers/lrn_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "lrn_param"
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)
    ignored: ClassVar[dict[str, str]] = {"engine": "one implementation"}

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.lrn_param
        self.size, self.alpha, self.beta = param.local_size, param.alpha, param.beta
        self.across_channels = param.norm_region == caffe_pb2.LRNParameter.ACROSS_CHANNELS
        self.k = param.k if self.across_channels else 1.0
        if self.size % 2 == 0:
            raise NetError(f"{self}: local_size is {self.size}. LRN only supports odd values for local_size.")

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        border = self.size - 1
        area = (x[1] + border, *x[2:]) if self.across_channels else (x[1], x[2] + border, x[3] + border)
        limits.check_count(area, f"an image with a border for a local_size of {self.size:,}", str(self), "`local_size`")
        return [x]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return Rows() if self.across_channels else None

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        energy = ops.channel_mean(x * x, self.size) if self.across_channels else self._within(x * x)
        return x * (self.k + self.alpha * energy).pow(-self.beta)

    def _within(self, squares: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(squares, kernel_size=self.size, stride=1, padding=self.size // 2)

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """The neighbours are squared and added, and the sum scaled, raised to a power, and multiplied."""
        return (self.size ** (1 if self.across_channels else 2) + 4) * top[0].count


@layer_type
class MVN(TorchLayer):
    """Mean-variance normalisation of each map.

    y = (x − mean) / (standard deviation + eps), over height and width, and over the channels too if across_channels
    bottom: (N, C, H, W), axes may be missing at the end
    top: (N, C, H, W), always four axes
    parameters: normalize_variance (false: only subtract the mean), across_channels, eps
    source: src/caffe/layers/mvn_layer.cpp; its gradient takes standard deviation + eps for the standard deviation
    """

    bottoms = 1
    tops = 1
    settings = "mvn_param"
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.mvn_param
        self.normalize_variance, self.eps = param.normalize_variance, param.eps
        self.dims = (1, 2, 3) if param.across_channels else (2, 3)

    def top_shapes(self, x: Shape) -> list[Shape]:
        if len(x) > 4:
            raise ShapeError(f"{self}: bottom is {x}. Cannot use legacy accessors on Blobs with > 4 axes. Reshape it.")
        return [x + (1,) * (4 - len(x))]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        x = x.reshape(*x.shape, *[1] * (4 - x.dim()))
        if self.normalize_variance:
            return _Standardize.apply(x, self.dims, self.eps)
        return x - x.mean(dim=self.dims, keepdim=True)


class _Standardize(torch.autograd.Function):
    """(x − mean) / (deviation + eps), differentiated as if it were the deviation alone."""

    @staticmethod
    def forward(ctx, x, dims, eps):  # type: ignore[no-untyped-def]
        centred = x - x.mean(dim=dims, keepdim=True)
        deviation = centred.square().mean(dim=dims, keepdim=True).sqrt() + eps
        y = centred / deviation
        ctx.save_for_backward(y, deviation)
        ctx.dims = dims
        return y

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        y, deviation = ctx.saved_tensors
        along_y = (grad * y).mean(dim=ctx.dims, keepdim=True)
        return (grad - grad.mean(dim=ctx.dims, keepdim=True) - along_y * y) / deviation, None, None


@layer_type
class BatchNorm(TorchLayer):
    """Batch normalisation, without the scale and shift that usually follow it as a Scale layer.

    y = (x − mean) / √(variance + eps), per channel: the batch's own in TRAIN, the stored sums / batches in TEST
    bottom: (N, C, …)
    top: like the bottom
    blobs: sum of means (C), sum of variances (C), number of batches (1): in TRAIN
        they are multiplied by moving_average_fraction, and the batch's are added (its variance times m / (m − 1))
    parameters: use_global_stats (default: true in TEST), moving_average_fraction, eps
    restrictions: the `param`s have lr_mult 0, or are left out
    source: src/caffe/layers/batch_norm_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "batch_norm_param"
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.batch_norm_param
        self.fraction, self.eps = param.moving_average_fraction, param.eps
        in_test = self.phase == caffe_pb2.TEST
        self.use_global_stats = param.use_global_stats if param.HasField("use_global_stats") else in_test
        self.channels = bottom[0].shape[canonical(1, bottom[0].shape, self)]
        self.scales = param.scale_bias or param.HasField("scale_filler") or param.HasField("bias_filler")
        if self.scales:
            self._set_up_as_nvidia_does(param)
            return
        for shape in ((self.channels,), (self.channels,), (1,)):
            self.add_param(shape, caffe_pb2.FillerParameter())
        self._keep_solver_off()

    def _set_up_as_nvidia_does(self, param: caffe_pb2.BatchNormParameter) -> None:
        """Five blobs, mean, variance, 1, scale and bias: NVIDIA Caffe, from 0.16 on, scales and shifts here.

        After its src/caffe/layers/batch_norm_layer.cpp: mean and variance are averages, not sums.
        """
        self.traits = replace(self.traits, replayable=False)
        self.use_global_stats = self.phase == caffe_pb2.TEST
        self.eps = max(self.eps, NVIDIA_LEAST_EPS)
        self.updates = 0
        one = caffe_pb2.FillerParameter(value=1)
        fillers = [None, None, one, param.scale_filler if param.HasField("scale_filler") else one, param.bias_filler]
        for index, filler in enumerate(fillers):
            self.add_param((1,) if index == 2 else (self.channels,), filler or caffe_pb2.FillerParameter())
        specs = self.layer_param.param
        for index in range(len(specs), len(self.blobs)):
            specs.add(lr_mult=float(index > 2), decay_mult=float(index > 2))
        for spec in specs[:3]:
            spec.lr_mult = spec.decay_mult = 0

    def _keep_solver_off(self) -> None:
        """The statistics are no weights: the solver must not touch them."""
        specs = self.layer_param.param
        if any(spec.lr_mult != 0 for spec in specs):
            raise NetError(
                f"{self}: Cannot configure batch normalization statistics as layer parameters. Say `lr_mult: 0` in its "
                "`param`s, or remove them."
            )
        for _ in range(len(specs), len(self.blobs)):
            specs.add(lr_mult=0)

    def top_shapes(self, x: Shape) -> list[Shape]:
        if x[canonical(1, x, self)] != self.channels:
            raise ShapeError(
                f"{self}: bottom is {x}, the statistics have {self.channels} channels; expected "
                "bottom[0]->shape(1) == channels_. Rename the layer to start it afresh."
            )
        return [x]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        if not self.use_global_stats:
            self._update_statistics(bottom[0].tensor.float())
        super().forward(bottom, top)

    def _update_statistics(self, x: torch.Tensor) -> None:
        variance, mean = torch.var_mean(x, dim=_all_but_channels(x), correction=0)
        if self.scales:
            kept = self.fraction if self.updates > 1 else 0
            self.updates += 1
            for blob, value in zip(self.blobs, (mean, variance), strict=False):
                blob.tensor.mul_(kept).add_(value, alpha=1 - kept)
            return
        count = math.prod(x.shape) // self.channels
        unbiased = variance * (count / (count - 1) if count > 1 else 1)
        for blob, value in zip(self.blobs, (mean, unbiased, torch.ones_like(self.blobs[2].tensor)), strict=True):
            blob.tensor.mul_(self.fraction).add_(value)

    def rows(self, *bottoms: Shape) -> Rows | None:
        return Rows() if self.use_global_stats else None

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        """Unlike torch.batch_norm, subtracts the mean before it multiplies: a constant channel becomes exactly 0."""
        per_channel = (-1, *[1] * (x.dim() - 2))
        if self.use_global_stats:
            mean_sum, variance_sum, batches = (blob.detach() for blob in self.tensors[:3])
            share = torch.ones_like(batches) if self.scales else torch.where(batches == 0, 0, 1 / batches)
            mean, variance = ((total * share).reshape(per_channel) for total in (mean_sum, variance_sum))
        else:
            variance, mean = torch.var_mean(x, dim=_all_but_channels(x), correction=0, keepdim=True)
        y = self.standardized(x - mean, variance)
        if self.scales:
            scale, bias = (each.reshape(per_channel) for each in self.tensors[3:])
            y = y * scale + bias
        return y

    def standardized(self, centred: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Values less their mean, over their standard deviation."""
        return centred * (variance + self.eps).rsqrt()

    def adapted(self, stored: Sequence[Any]) -> Sequence[Any]:
        """NVIDIA Caffe 0.15 wrote scale, bias, mean, variance and a number; from 0.16 on the number is the third."""
        if self.scales and len(stored) == 5 and all(each is not None for each in stored):
            counts = [each.size for each in stored]
            if counts[4] == 1 and counts[2] == self.channels != 1:
                return [stored[2], stored[3], stored[4], stored[0], stored[1]]
        return stored

    def zero_at_zero(self) -> bool:
        shifted = self.scales and self.blobs[4].tensor.any()
        return not (shifted or (self.use_global_stats and self.blobs[0].tensor.any()))

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return 2 * top[0].count


def _all_but_channels(x: torch.Tensor) -> tuple[int, ...]:
    return (0, *range(2, x.dim()))
