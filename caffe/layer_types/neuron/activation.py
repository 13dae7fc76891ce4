"""Activations and other functions of one element at a time."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from caffe import device, ops
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Precision, ReceptiveField, TorchLayer, layer_type
from caffe.layer_types.helpers.axes import refuse_in_place
from caffe.layer_types.helpers.clamp import clamped
from caffe.ops.layout import laid_out_like
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text


class Elementwise(TorchLayer):
    """One bottom, one top of the same shape.

    bottom: x
    top: like x
    """

    bottoms = 1
    tops = 1
    traits = replace(TorchLayer.traits, replayable=True, row_by_row=True)


@layer_type
class AbsVal(Elementwise):
    """The absolute value.

    y = |x|
    source: src/caffe/layers/absval_layer.cpp
    """

    traits = replace(Elementwise.traits, zero_at_zero=True, flat_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        refuse_in_place(self)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()


@layer_type
class BNLL(Elementwise):
    """The binomial normal log likelihood (softplus).

    y = log(1 + exp(x))
    source: src/caffe/layers/bnll_layer.cpp
    """

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return F.softplus(x, threshold=50)


@layer_type
class Clip(Elementwise):
    """Limits values to a range.

    y = max(min, min(max, x))
    parameters: min, max
    source: src/caffe/layers/clip_layer.cpp
    """

    settings = "clip_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.clip_param
        self.min, self.max = param.min, param.max

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return clamped(x, self.min, self.max)


@layer_type
class Dropout(Elementwise):
    """Sets values to zero at random in TRAIN, scaling the others up; passes everything in TEST.

    y = x · m / (1 − dropout_ratio), m = 1 with probability 1 − dropout_ratio, else 0
    parameters: dropout_ratio
    source: src/caffe/layers/dropout_layer.cpp
    """

    settings = "dropout_param"
    traits = replace(Elementwise.traits, precision=Precision.ANY, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.ratio = self.layer_param.dropout_param.dropout_ratio
        if not 0 <= self.ratio <= 1:
            raise NetError(f"{self}: dropout_ratio is {self.ratio:g}, expected a probability, 0 to 1. Correct it.")
        self.drops = self.phase == caffe_pb2.TRAIN or self.layer_param.dropout_param.sample_weights_test
        self.traits = replace(self.traits, random=self.drops)
        self.scales_train = self.layer_param.dropout_param.scale_train
        self.mask: torch.Tensor | None = None

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        if self.drops:
            keep = torch.empty(bottom[0].shape, dtype=torch.float32, device=device.current())
            keep.bernoulli_(1 - self.ratio, generator=device.generator())
            scale = 1 / (1 - self.ratio) if self.ratio < 1 else math.inf
            self.mask = keep.mul_(scale) if self.scales_train else keep
        super().forward(bottom, top)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        """Fast R-CNN's scale_train: false scales in TEST instead; SegNet's sample_weights_test drops in TEST, too."""
        if self.mask is None:
            return x if self.scales_train or self.drops else x * (1 - self.ratio)
        return x * laid_out_like(self.mask.to(x.dtype), x)


@layer_type
class ELU(Elementwise):
    """The exponential linear unit.

    y = x where x > 0, else alpha · (exp(x) − 1)
    parameters: alpha
    source: src/caffe/layers/elu_layer.cpp
    """

    settings = "elu_param"
    traits = replace(Elementwise.traits, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.alpha = self.layer_param.elu_param.alpha

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, x, self.alpha * clamped(x, high=0).expm1())


@layer_type
class Exp(Elementwise):
    """A power of a base.

    y = base ^ (shift + scale · x); base −1 stands for e
    parameters: base, scale, shift
    restrictions: base is above 0, or −1
    source: src/caffe/layers/exp_layer.cpp
    """

    settings = "exp_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.exp_param
        log_base = _log_of_base(self, param.base)
        self.inner = log_base * param.scale
        self.outer = math.exp(log_base * param.shift)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return self.outer * torch.exp(self.inner * x)


@layer_type
class Log(Elementwise):
    """A logarithm.

    y = log_base(shift + scale · x); base −1 stands for e
    parameters: base, scale, shift
    restrictions: base is above 0, or −1
    source: src/caffe/layers/log_layer.cpp
    """

    settings = "log_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.log_param
        log_base = _log_of_base(self, param.base)
        self.factor = 1 / log_base if log_base else math.inf
        self.scale, self.shift = param.scale, param.shift

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * torch.log(self.scale * x + self.shift)


def _log_of_base(layer: TorchLayer, base: float) -> float:
    if base == -1:
        return 1.0
    if base <= 0:
        raise NetError(f"{layer}: base is {base:g}, but base must be strictly positive. -1 (the default) stands for e.")
    return math.log(base)


@layer_type
class Power(Elementwise):
    """A power of a linear function.

    y = (shift + scale · x) ^ power
    parameters: power, scale, shift
    source: src/caffe/layers/power_layer.cpp
    """

    settings = "power_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.power_param
        self.power, self.scale, self.shift = param.power, param.scale, param.shift
        self.traits = replace(
            self.traits,
            zero_at_zero=not self.shift and self.power > 0,
            flat_at_zero=not self.shift and self.power > 1,
        )

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        if self.power * self.scale == 0:
            return torch.full_like(x, 1.0 if self.power == 0 else self.shift**self.power)
        linear = self.scale * x + self.shift
        return linear if self.power == 1 else linear**self.power


@layer_type
class PReLU(Elementwise):
    """The rectified linear unit with a learned slope for negative values.

    y = max(0, x) + a_c · min(0, x), one a for each channel c, or one for all
    blobs: a (channels), or one number
    parameters: filler (default: constant 0.25), channel_shared
    restrictions: 2 to 4 axes
    source: src/caffe/layers/prelu_layer.cpp
    """

    settings = "prelu_param"
    traits = replace(Elementwise.traits, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        if len(bottom[0].shape) < 2:
            raise ShapeError(
                f"{self}: bottom is {shape_text(bottom[0].shape)}. Number of axes of bottom blob must be >=2."
            )
        param = self.layer_param.prelu_param
        default = caffe_pb2.FillerParameter(type="constant", value=0.25)
        shape = () if param.channel_shared else (bottom[0].channels,)
        self.add_param(shape, param.filler if param.HasField("filler") else default)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        (slopes,) = self.tensors
        return F.prelu(x, slopes.reshape(-1))

    def flat_at_zero(self) -> bool:
        return not self.blobs[0].tensor.any()


@layer_type
class ReLU(Elementwise):
    """The rectified linear unit, leaky with a negative slope.

    y = max(0, x) + negative_slope · min(0, x)
    parameters: negative_slope
    source: src/caffe/layers/relu_layer.cpp
    """

    settings = "relu_param"
    traits = replace(
        Elementwise.traits,
        precision=Precision.ANY,
        zero_at_zero=True,
        receptive_field=(ReceptiveField(), ReceptiveField()),
    )
    ignored = {"engine": "one implementation"}

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.negative_slope = self.layer_param.relu_param.negative_slope
        leaky = self.negative_slope != 0
        over_bottom = None if leaky else torch.relu_
        self.traits = replace(self.traits, needs_record=leaky, flat_at_zero=not leaky, over_bottom=over_bottom)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(x, self.negative_slope) if self.negative_slope else torch.relu(x)

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        if self.traits.needs_record:
            super().backward(top, propagate_down, bottom)
        elif propagate_down[0]:
            bottom[0].grad = ops.relu_gradient(top[0].grad, top[0].tensor)


@layer_type
class Sigmoid(Elementwise):
    """The logistic function.

    y = 1 / (1 + exp(−x))
    source: src/caffe/layers/sigmoid_layer.cpp
    """

    settings = "sigmoid_param"
    ignored = {"engine": "one implementation"}

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x)


@layer_type
class Swish(Elementwise):
    """The sigmoid-weighted linear unit.

    y = x · sigmoid(beta · x)
    parameters: beta
    source: src/caffe/layers/swish_layer.cpp
    """

    settings = "swish_param"
    traits = replace(Elementwise.traits, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.beta = self.layer_param.swish_param.beta

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.beta * x)


@layer_type
class TanH(Elementwise):
    """The hyperbolic tangent.

    y = tanh(x)
    source: src/caffe/layers/tanh_layer.cpp
    """

    settings = "tanh_param"
    traits = replace(Elementwise.traits, zero_at_zero=True)
    ignored = {"engine": "one implementation"}

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x)


@layer_type
class Threshold(Elementwise):
    """Tells what lies above a threshold. It has no gradient.

    y = 1 where x > threshold, else 0
    parameters: threshold
    source: src/caffe/layers/threshold_layer.cpp
    """

    settings = "threshold_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.threshold = self.layer_param.threshold_param.threshold

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return (x > self.threshold).float()
