"""Classification: MobileNet's, ShuffleNet's and SENet's layers, and activations."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.clamp import clamped
from caffe.layer_types.helpers.spatial import check_image
from caffe.layer_types.vision.convolution import Convolution


class _Depthwise(Convolution):
    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        check_image(self, bottom[0].shape)
        param, channels = self.layer_param.convolution_param, bottom[0].shape[1]
        if param.num_output != channels or param.group not in (1, channels):
            raise NetError(
                f"{self}: num_output is {param.num_output}, group {param.group}, with {channels} channels; expected "
                "num_output equal to the channels, and so `group` if it is given. Correct them."
            )
        param.group = channels
        super().setup(bottom, top)


@register_layer
class DepthwiseConvolution(_Depthwise):
    """Convolves each channel with a kernel of its own.

    y[c] = b[c] + Σ_k W[c, k] · x[c, stride · p − pad + dilation · k]
    bottom: (N, C, H, W)
    top: (N, C, …), as of Convolution
    blobs: W (C, 1, kernel…), b (C): those of Convolution with group: C
    parameters: as of Convolution; group may be left out
    source: MobileNet-Caffe and its kind
    """


@register_layer
class ConvolutionDepthwise(_Depthwise):
    """DepthwiseConvolution by another name.

    y[c] = b[c] + Σ_k W[c, k] · x[c, stride · p − pad + dilation · k]
    bottom: (N, C, H, W)
    top: (N, C, …), as of Convolution
    blobs: W (C, 1, kernel…), b (C): those of Convolution with group: C
    parameters: as of Convolution; group may be left out
    source: MobileNet-Caffe and its kind
    """


@register_layer
class ReLU6(TorchLayer):
    """The rectified linear unit, limited to 6.

    y = min(max(x, 0) + negative_slope · min(x, 0), threshold); the gradient is 0 from the threshold on
    bottom: x
    top: like x
    parameters: negative_slope (0), threshold (6)
    source: MobileNet's ports
    """

    bottoms = 1
    tops = 1
    settings = "relu6_param"
    traits = replace(TorchLayer.traits, row_by_row=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.slope, self.limit = self.message.negative_slope, self.message.threshold

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.where(x > 0, x, self.slope * x)
        return torch.where(y < self.limit, y, torch.full_like(y, self.limit))


@register_layer
class ShuffleChannel(TorchLayer):
    """Deals the channels of each group out over all groups.

    y[:, j · group + i] = x[:, i · C / group + j]
    bottom: (N, C, …)
    top: like the bottom
    parameters: group (1)
    source: ShuffleNet's ports
    """

    bottoms = 1
    tops = 1
    settings = "shuffle_channel_param"
    traits = replace(TorchLayer.traits, row_by_row=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.group = self.message.group

    def top_shapes(self, x: Shape) -> list[Shape]:
        if len(x) < 2 or self.group < 1 or x[1] % self.group:
            raise ShapeError(
                f"{self}: bottom is {x}, group {self.group}; expected channels in equal groups. Correct it."
            )
        return [x]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        groups = x.reshape(x.shape[0], self.group, x.shape[1] // self.group, *x.shape[2:])
        return groups.transpose(1, 2).reshape(x.shape)


@register_layer
class Axpy(TorchLayer):
    """Scales each channel by a number of the net's own, and adds: the end of a squeeze-and-excitation block.

    y = s · a + b
    bottom: s (N, C) or (N, C, 1, 1); a, b (N, C, H, W)
    top: like a
    source: SENet
    """

    bottoms = 3
    tops = 1

    def top_shapes(self, s: Shape, a: Shape, b: Shape) -> list[Shape]:
        if a != b or s[:2] != a[:2] or any(size != 1 for size in s[2:]):
            raise ShapeError(
                f"{self}: bottoms are {s}, {a} and {b}; expected (N, C), and twice (N, C, H, W). Correct the shapes."
            )
        return [a]

    def compute(self, s: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return s.reshape(*a.shape[:2], *[1] * (a.dim() - 2)) * a + b


class _Activation(TorchLayer):
    bottoms = 1
    tops = 1
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)


@register_layer
class Mish(_Activation):
    """A smooth rectifier.

    y = x · tanh(log(1 + exp(x)))
    bottom: x
    top: like x
    source: YOLO's ports, Synopsys Caffe: src/caffe/layers/mish_layer.cpp
    """

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x * F.softplus(x, threshold=50).tanh()


@register_layer
class HardSwish(_Activation):
    """MobileNet v3's piecewise swish.

    y = x · min(max(x + 3, 0), 6) / 6
    bottom: x
    top: like x
    source: Synopsys Caffe: src/caffe/layers/hard_swish_layer.cpp
    """

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x * clamped(x + 3, 0, 6) / 6


@register_layer
class Round(_Activation):
    """The nearest whole number; halves go away from zero. Its gradient is 0.

    y = sign(x) · ⌊|x| + ½⌋
    bottom: x
    top: like x
    source: Synopsys Caffe: src/caffe/layers/round_layer.cpp
    """

    traits = replace(_Activation.traits, flat_at_zero=True)

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.sign() * (x.abs() + 0.5).floor()
