"""Video: C3D's convolution and pooling over time, height and width."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_some_fit
from caffe.limits import check_count
from caffe.proto import caffe_pb2

Triple = tuple[int, int, int]
MAX, AVE = (caffe_pb2.Pooling3DParameter.PoolMethod.Value(name) for name in ("MAX", "AVE"))
LOWEST = -torch.finfo(torch.float32).max


class _Windows3D(TorchLayer):
    """Windows over time, height and width, as C3D 1.1 (a message of its own) or 1.0 (BVLC's message) describes them."""

    bottoms = 1
    tops = 1
    traits = replace(TorchLayer.traits, replayable=True)
    own: str
    shared: str

    def read(self) -> Any:
        """The message that the net gives; NetError for both."""
        given = [name for name in (self.own, self.shared) if self.layer_param.HasField(name)]
        if len(given) != 1:
            raise NetError(
                f"{self}: {' and '.join(given) or 'no message of settings'} is given, expected {self.own} (C3D 1.1) or "
                f"{self.shared} (C3D 1.0). Keep one."
            )
        param = getattr(self.layer_param, given[0])
        size, stride, pad = (self._one(param, name) for name in ("kernel_size", "stride", "pad"))
        self.kernel = (param.kernel_depth, size, size)
        self.stride = (param.temporal_stride if param.HasField("temporal_stride") else 1, stride, stride)
        self.pad = (param.temporal_pad, pad, pad)
        if min(*self.kernel, *self.stride) < 1:
            raise NetError(
                f"{self}: the kernel is {self.kernel}, the stride {self.stride} (time, height, width); expected at "
                "least 1 each. Set kernel_size and kernel_depth."
            )
        return param

    def _one(self, param: Any, name: str) -> int:
        value = getattr(param, name)
        if isinstance(value, int):
            return value
        if len(value) > 1:
            raise NetError(f"{self}: {name} is {list(value)}; C3D has one for height and width. Give one.")
        return int(value[0]) if value else int(name == "stride")

    def check(self, x: Shape) -> None:
        if len(x) != 5:
            raise ShapeError(f"{self}: bottom is {x}, expected (N, C, length, height, width). Reshape it.")
        padded = [size + 2 * pad for size, pad in zip(x[2:], self.pad, strict=True)]
        reach = [max(size, kernel) for size, kernel in zip(padded, self.kernel, strict=True)]
        check_count((x[1], *reach), "a bottom's clip with its pad", str(self), "`pad` or the kernel's size")


@register_layer
class Convolution3D(_Windows3D):
    """Convolves clips over time, height and width.

    y[o] = b[o] + Σ_c Σ_k W[o, c, k] · x[c, stride · p − pad + k], k and p over time, height and width
    bottom: (N, C, L, H, W)
    top: (N, num_output, ⌊(L + 2·pad − kernel) / stride⌋ + 1, …)
    blobs: W (num_output, C, kernel_depth, kernel_size, kernel_size), b (1, 1, 1, 1, num_output)
    parameters: num_output, kernel_size, kernel_depth, stride (1), temporal_stride (1), pad (0), temporal_pad (0),
        bias_term (true), weight_filler, bias_filler; filter_group changes no numbers
    restrictions: group is 1
    source: C3D: src/caffe/layers/convolution3d_layer.cpp
    """

    settings = ("convolution3d_param", "convolution_param")
    own, shared = settings

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.read()
        self.check(bottom[0].shape)
        if param.group != 1 or param.num_output < 1:
            raise NetError(
                f"{self}: group is {param.group}, num_output {param.num_output}; expected group 1 and at least 1 "
                "output."
                " Correct them."
            )
        self.outputs, self.channels, self.bias = param.num_output, bottom[0].shape[1], param.bias_term
        self.add_param((self.outputs, self.channels, *self.kernel), param.weight_filler)
        if self.bias:
            self.add_param((1, 1, 1, 1, self.outputs), param.bias_filler)

    def top_shapes(self, x: Shape) -> list[Shape]:
        self.check(x)
        if x[1] != self.channels:
            raise ShapeError(
                f"{self}: bottom is {x}, the weights have {self.channels} channels. Give it as many channels."
            )
        rooms = [size + 2 * pad - kernel for size, pad, kernel in zip(x[2:], self.pad, self.kernel, strict=True)]
        positions = tuple(room // stride + 1 for room, stride in zip(rooms, self.stride, strict=True))
        check_some_fit(self, positions, x[2:])
        return [(x[0], self.outputs, *positions)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        weights, *bias = self.tensors
        return F.conv3d(x, weights, bias[0].reshape(-1) if bias else None, self.stride, self.pad)


@register_layer
class Pooling3D(_Windows3D):
    """The largest or the average value of each window over time, height and width.

    y[p] = max or mean of x over the window at stride · p − pad; the mean divides by the window's size within clip and
        pad
    bottom: (N, C, L, H, W)
    top: (N, C, ⌈(L + 2·pad − kernel) / stride⌉ + 1, …): rounded up, and no window at the end is left out
    parameters: pool (MAX, AVE), kernel_size, kernel_depth, stride (1), temporal_stride (1), pad (0), temporal_pad (0)
    restrictions: STOCHASTIC is refused
    source: C3D: src/caffe/layers/pooling3d_layer.cpp
    """

    settings = ("pooling3d_param", "pooling_param")
    own, shared = settings

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.method = self.read().pool
        if self.method not in (MAX, AVE):
            raise NetError(f"{self}: pool is STOCHASTIC, which is not implemented; expected MAX or AVE. Correct it.")
        if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            raise NetError(f"{self}: pad is {self.pad}, the kernel {self.kernel}; expected smaller pads. Correct them.")

    def positions(self, x: Shape) -> Triple:
        """How many windows there are along each axis."""
        length, height, width = (
            -(-(size + 2 * pad - kernel) // stride) + 1
            for size, pad, kernel, stride in zip(x[2:], self.pad, self.kernel, self.stride, strict=True)
        )
        return length, height, width

    def top_shapes(self, x: Shape) -> list[Shape]:
        self.check(x)
        positions = self.positions(x)
        check_some_fit(self, positions, x[2:])
        return [(*x[:2], *positions)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        sizes, counts = x.shape[2:], self.positions(tuple(x.shape))
        margins: list[int] = []
        shares = x.new_ones(())
        for size, pad, kernel, stride, count in zip(sizes, self.pad, self.kernel, self.stride, counts, strict=True):
            margins = [pad, max(0, (count - 1) * stride + kernel - size - pad), *margins]
            starts = torch.arange(count, device=x.device) * stride - pad
            inside = (torch.clamp(starts + kernel, max=size + pad) - starts).clamp(min=1)
            shares = shares[..., None] * (kernel / inside.to(x.dtype))
        if self.method == MAX:
            y = F.max_pool3d(F.pad(x, margins, value=LOWEST), self.kernel, self.stride)
        else:
            y = F.avg_pool3d(F.pad(x, margins), self.kernel, self.stride) * shares
        length, height, width = counts
        return y[:, :, :length, :height, :width]
