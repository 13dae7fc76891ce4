"""Optical flow: FlowNet's comparing of two maps, warping by a flow, and its small layers."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.formats import binaryproto
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image
from caffe.proto import caffe_pb2

SUBTRACT = caffe_pb2.CorrelationParameter.SUBTRACT
NOT_A_NUMBER = caffe_pb2.FlowWarpParameter.NOT_A_NUMBER


@register_layer
class Correlation(TorchLayer):
    """Compares patches of one map with those of another that lie up to so many pixels away.

    y[(dy + G) · (2G + 1) + dx + G, i, j] = Σ a[c, p + k] · b[c, p + k + s₂ · (dy, dx)] / (kernel_size² · C), over
        channels c and places k in the kernel; p = (i, j) · s₁ + max_displacement − pad, G = max_displacement div s₂,
        values outside are 0; SUBTRACT: Σ |a − b| instead
    bottom: a, b (N, C, H, W)
    top: (N, (2G + 1)², ⌈(H + 2 · pad − 2 · (max_displacement + r)) / s₁⌉, …), r = (kernel_size − 1) / 2
    parameters: kernel_size (odd), max_displacement, pad (0), stride_1 (s₁, 1), stride_2 (s₂, 1), correlation_type
        (MULTIPLY, SUBTRACT)
    restrictions: do_abs and single_direction are refused
    source: FlowNet: src/caffe/layers/correlation_layer.cu
    """

    bottoms = 2
    tops = 1
    settings = "correlation_param"
    traits = replace(TorchLayer.traits, replayable=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        if param.kernel_size % 2 != 1 or not param.HasField("max_displacement") or not param.stride_1 * param.stride_2:
            raise NetError(
                f"{self}: kernel_size is {param.kernel_size}, stride_1 {param.stride_1}, stride_2 {param.stride_2}. An "
                "odd kernel size, max_displacement and strides of at least 1 are required."
            )
        if param.do_abs or param.single_direction:
            raise NetError(f"{self}: do_abs and single_direction are not implemented. Remove them.")
        self.kernel, self.reach, self.pad = param.kernel_size, param.max_displacement, param.pad
        self.stride, self.step = param.stride_1, param.stride_2
        self.subtracts = param.correlation_type == SUBTRACT

    def top_shapes(self, a: Shape, b: Shape) -> list[Shape]:
        check_image(self, a)
        if a != b:
            raise ShapeError(
                f"{self}: bottoms are {a} and {b}; both bottom blobs must have same size. Correct the shapes."
            )
        border = self.reach + self.kernel // 2
        sizes = [-(-(size + 2 * (self.pad - border)) // self.stride) for size in a[2:]]
        if min(sizes) < 1:
            raise ShapeError(
                f"{self}: bottoms are {a}. Correlation cannot be done with current settings. Neighborhood and kernel "
                "don't fit in blob: give more pad."
            )
        self.sizes = (sizes[0], sizes[1])
        return [(a[0], (2 * (self.reach // self.step) + 1) ** 2, *sizes)]

    def compute(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        a, b = (F.pad(x, [self.pad] * 4) for x in (a, b))
        height, width = ((count - 1) * self.stride + self.kernel for count in self.sizes)
        steps = [self.step * index for index in range(-(self.reach // self.step), self.reach // self.step + 1)]

        def seen(x: torch.Tensor, down: int, right: int) -> torch.Tensor:
            return x[:, :, down + self.reach :, right + self.reach :][:, :, :height, :width]

        here = seen(a, 0, 0)
        maps = []
        for down in steps:
            for right in steps:
                there = seen(b, down, right)
                both = (here - there).abs() if self.subtracts else here * there
                maps.append(F.avg_pool2d(both.mean(1, keepdim=True), self.kernel, self.stride))
        return torch.cat(maps, dim=1)


@register_layer
class FlowWarp(TorchLayer):
    """Moves an image by a flow, bilinearly.

    y[c, i, j] = bilinear x[c, i + v[i, j], j + u[i, j]]; places outside the image are filled
    bottom: x (N, C, H, W), the flow (N, 2, H, W): u to the right and v down, in pixels
    top: like x
    parameters: fill_value (ZERO, NOT_A_NUMBER)
    source: FlowNet 2: src/caffe/layers/flow_warp_layer.cu
    """

    bottoms = 2
    tops = 1
    settings = "flow_warp_param"
    traits = replace(TorchLayer.traits, replayable=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.fill = torch.nan if self.message.fill_value == NOT_A_NUMBER else 0.0

    def top_shapes(self, x: Shape, flow: Shape) -> list[Shape]:
        check_image(self, x)
        if flow != (x[0], 2, *x[2:]):
            raise ShapeError(
                f"{self}: bottoms are {x} and {flow}; expected a flow of 2 channels, of the image's size."
                " Correct the shapes."
            )
        return [x]

    def compute(self, x: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = x.shape
        across = flow[:, 0] + torch.arange(width, device=x.device)
        down = flow[:, 1] + torch.arange(height, device=x.device)[:, None]
        inside = (across >= 0) & (down >= 0) & (across < width) & (down < height)
        across, down = (torch.where(inside, place, torch.zeros_like(place)) for place in (across, down))
        left, top = across.detach().floor(), down.detach().floor()
        flat = x.flatten(start_dim=2)

        def at(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
            place = row.clamp(max=height - 1) * width + column.clamp(max=width - 1)
            place = place.long().reshape(count, 1, -1).expand(-1, channels, -1)
            return flat.gather(2, place).reshape(x.shape)

        right_share, low_share = (across - left)[:, None], (down - top)[:, None]
        upper = at(top, left) * (1 - right_share) + at(top, left + 1) * right_share
        lower = at(top + 1, left) * (1 - right_share) + at(top + 1, left + 1) * right_share
        y = upper * (1 - low_share) + lower * low_share
        return torch.where(inside[:, None], y, torch.full_like(y, self.fill))


@register_layer
class ChannelNorm(TorchLayer):
    """The length of the vector at each pixel.

    y[0] = √(Σ_c x[c]²); where it is 0, so is the gradient
    bottom: (N, C, H, W)
    top: (N, 1, H, W)
    source: FlowNet 2: src/caffe/layers/channel_norm_layer.cu
    """

    bottoms = 1
    tops = 1
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True, flat_at_zero=True)

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        return [(x[0], 1, *x[2:])]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.vector_norm(x, dim=1, keepdim=True)


@register_layer
class NegReLU(TorchLayer):
    """The rectified linear unit, mirrored: negative numbers pass.

    y = min(x, 0) + negative_slope · max(x, 0)
    bottom: x
    top: like x
    parameters: negative_slope (0)
    source: FlowNet 2: src/caffe/layers/neg_relu_layer.cu
    """

    bottoms = 1
    tops = 1
    settings = "relu_param"
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.slope = self.layer_param.relu_param.negative_slope

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x < 0, x, self.slope * x)


@register_layer
class Mean(TorchLayer):
    """Adds a mean to images, or subtracts it.

    y[c] = output_scale · (input_scale · x[c] ± mean_scale · mean[c mod M]), M channels of the mean
    bottom: (N, C, H, W), one or more
    top: like the bottoms
    parameters: operation (ADD, SUBTRACT), file (a binaryproto, of the images' height and width) or value (one for each
        channel of the mean), input_scale (1), mean_scale (1), output_scale (1)
    source: FlowNet 2: src/caffe/layers/mean_layer.cpp
    """

    bottoms = tops = (1, None)
    equal_bottoms_and_tops = True
    settings = "mean_param"
    traits = replace(TorchLayer.traits, replayable=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        if not param.HasField("operation") or bool(param.value) == param.HasField("file"):
            raise NetError(f"{self}: expected `operation`, and either `value` or `file`. Correct mean_param.")
        values = np.array(param.value, np.float32).reshape(1, -1, 1, 1)
        if param.file:
            values = binaryproto.read(param.file).reshape(-1, *bottom[0].shape[2:])[None]
        sign = 1 if param.operation == caffe_pb2.MeanParameter.ADD else -1
        self.scales = (param.input_scale, param.output_scale)
        self.add = torch.from_numpy(values * np.float32(sign * param.mean_scale))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        for x in bottoms:
            check_image(self, x)
            if x[1] % self.add.shape[1] or self.add.shape[2:] not in ((1, 1), x[2:]):
                raise ShapeError(
                    f"{self}: bottom is {x}, the mean {tuple(self.add.shape[1:])}; bottom size not divisible by mean "
                    "size. Give as many values as there are channels, or a mean of the images' size."
                )
        return list(bottoms)

    def compute(self, *bottoms: torch.Tensor) -> list[torch.Tensor]:
        given, out = self.scales
        return [out * (given * x + self.add.to(x).repeat(1, x.shape[1] // self.add.shape[1], 1, 1)) for x in bottoms]
