"""Convolution, its transpose, and the patches that it multiplies."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

import torch

from caffe import limits, ops
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Handling, Precision, ReceptiveField, Rows, Shape, TorchLayer, layer_type, rows
from caffe.layer_types.helpers.axes import canonical
from caffe.layer_types.helpers.spatial import SpatialWindow, check_some_fit, read_windows
from caffe.shapes import shape_text

ONE_IMPLEMENTATION = {"engine": "one implementation", "force_nd_im2col": "one implementation for any number of axes"}
Convolve = Callable[..., torch.Tensor]
CONVOLVE: dict[int, Convolve] = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}
CONVOLVE_TRANSPOSED: dict[int, Convolve] = {1: ops.conv_transpose1d, 2: ops.conv_transpose2d, 3: ops.conv_transpose3d}
"""By the number of spatial axes; of other numbers, and of a dilation of 0, patches are multiplied."""


class _Convolving(TorchLayer):
    """Weights and shapes that both directions of a convolution share; any number of bottoms, convolved alike."""

    bottoms = (1, None)
    tops = (1, None)
    equal_bottoms_and_tops = True
    traits = replace(TorchLayer.traits, needs_tops=False, replayable=True, precision=Precision.CHOSEN, weighted=True)
    settings = "convolution_param"
    ignored: ClassVar[dict[str, str]] = ONE_IMPLEMENTATION

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.convolution_param
        shape = bottom[0].shape
        self.axes = len(shape)
        self.axis = canonical(param.axis, shape, self)
        self.windows = read_windows(self, param, self.axes - self.axis - 1)
        self.channels, self.num_output, self.group = shape[self.axis], param.num_output, param.group
        self._check_channels()
        rows, columns = self.weight_rows_and_columns()
        weights: Shape = (rows, columns // self.group, *self.windows.kernel)
        limits.check_count(weights, "the weights", str(self), "num_output or kernel_size")
        self._check_given_blobs([weights, (self.num_output,)] if param.bias_term else [weights])
        self.add_param(weights, param.weight_filler)
        if param.bias_term:
            self.add_param((self.num_output,), param.bias_filler)

    def weight_rows_and_columns(self) -> tuple[int, int]:
        """Channels along the first axis of the weights, and along the second if there were no groups."""
        raise NotImplementedError

    def top_sizes(self, sizes: Shape) -> Shape:
        """The spatial sizes of the top, from those of the bottom."""
        raise NotImplementedError

    def check_reach(self, bottom: Shape, top: Shape) -> None:
        """Refuse windows that reach too far to count, over spatial axes of these sizes."""
        raise NotImplementedError

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, sizes…) → (N, num_output, sizes…)."""
        raise NotImplementedError

    def take_bands(self) -> None:
        self.windows = replace(self.windows, pad=(0, *self.windows.pad[1:]))

    def _check_channels(self) -> None:
        if self.num_output < 1:
            raise NetError(f"{self}: num_output is {self.num_output}, expected at least 1 (num_output_ > 0). Set it.")
        if self.group < 1:
            raise NetError(f"{self}: group is {self.group}, expected at least 1. Correct it.")
        if self.channels % self.group:
            raise ShapeError(
                f"{self}: {self.channels} input channels, {self.group} groups; expected channels_ % group_ == 0. "
                "Correct `group`."
            )
        if self.num_output % self.group:
            raise NetError(
                f"{self}: num_output is {self.num_output}, group {self.group}: num_output_ % group_ == 0. "
                "Number of output should be multiples of group."
            )

    def _check_given_blobs(self, wanted: list[Shape]) -> None:
        """Refuse `blobs` in the prototxt that are not the layer's parameters."""
        given = [blob.shape for blob in self.blobs]
        if given and len(given) != len(wanted):
            raise ShapeError(
                f"{self}: {len(given)} `blobs`, expected {len(wanted)}: Incorrect number of weight blobs. Remove them."
            )
        for name, found, expected in zip(("weight", "bias"), given, wanted, strict=False):
            if found != expected:
                raise ShapeError(
                    f"{self}: Incorrect {name} shape: expected shape {shape_text(expected)}; instead, shape was "
                    f"{shape_text(found)}. Remove `blobs`."
                )

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        first = bottoms[0]
        if len(first) != self.axes:
            raise ShapeError(
                f"{self}: bottom is {shape_text(first)}, it had {self.axes} axes: bottom num_axes may not change."
                " Give a bottom of as many axes."
            )
        if first[self.axis] != self.channels:
            raise ShapeError(
                f"{self}: bottom is {shape_text(first)}, {first[self.axis]} channels, the weights want "
                f"{self.channels}: Input size incompatible with convolution kernel."
                " Give a bottom of as many channels as the weights want.",
                found=first[self.axis],
                expected=self.channels,
            )
        for index, other in enumerate(bottoms):
            if other != first:
                raise ShapeError(
                    f"{self}: shape mismatch - bottom[0]: {shape_text(first)} vs. bottom[{index}]: "
                    f"{shape_text(other)}. All bottoms go through the same weights: give them one shape."
                )
        sizes = first[self.axis + 1 :]
        outputs = self.top_sizes(sizes)
        self.check_reach(sizes, outputs)
        check_some_fit(self, outputs, sizes)
        return [(*first[: self.axis], self.num_output, *outputs)] * len(bottoms)

    @property
    def bias(self) -> torch.Tensor | None:
        """(num_output), while `compute` runs."""
        return self.tensors[1] if len(self.tensors) > 1 else None

    def compute(self, *bottoms: torch.Tensor) -> Sequence[torch.Tensor]:
        if self.axis == 1:
            return [self.convolved(x) for x in bottoms]
        outer = bottoms[0].shape[: self.axis]
        images = (x.reshape(math.prod(outer), *x.shape[self.axis :]) for x in bottoms)
        tops = (self.convolved(x) for x in images)
        return [y.reshape(*outer, *y.shape[1:]) for y in tops]


@layer_type
class Convolution(_Convolving):
    """Slides a bank of filters over the spatial axes, which are all that follow the channel axis.

    y[o] = b[o] + Σ_i Σ_k W[o, i, k] · x[i, stride · p − pad + dilation · k], at every position p
    bottom: (N…, C, sizes…), one or more of one shape
    top: (N…, num_output, ⌊(size + 2·pad − extent) / stride⌋ + 1…),
        extent = dilation · (kernel − 1) + 1
    blobs: weights (num_output, C / group, kernel…), bias (num_output)
    parameters: num_output, bias_term, group, axis (of the channels, default 1), weight_filler, bias_filler;
        once or once per spatial axis: kernel_size, stride (1), pad (0), dilation (1); or, with two spatial axes:
        kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w
    restrictions: C and num_output are multiples of group
    source: src/caffe/layers/base_conv_layer.cpp, src/caffe/layers/conv_layer.cpp
    """

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        super().setup(bottom, top)
        windows = self.windows
        if self.axis == 1 and len(windows.kernel) == 2 and 0 not in windows.dilation and len(bottom) == 1:
            rows, columns = map(ReceptiveField, windows.extent, windows.stride, windows.pad)
            self.traits = replace(self.traits, receptive_field=(rows, columns), is_conv2d=True)

    def weight_rows_and_columns(self) -> tuple[int, int]:
        return self.num_output, self.channels

    def top_sizes(self, sizes: Shape) -> Shape:
        return self.windows.positions(sizes)

    def check_reach(self, bottom: Shape, top: Shape) -> None:
        self.windows.check_reach(self.channels, bottom, self)

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        windows = self.windows
        direct = _direct(CONVOLVE, windows)
        if direct is None or not windows.fit(x.shape[2:]):
            weight = self.weight().of_type(x.dtype)
            return _with_bias(_multiply_patches(x, weight, windows, self.group), self.bias)
        return direct(x, self.weight(), self.bias, windows.stride, windows.pad, windows.dilation, self.group)

    def uses_of_weights(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return sum(blob.count for blob in top) // self.num_output

    def rows(self, *bottoms: Shape) -> Rows | None:
        windows = self.windows
        if self.axis != 1 or len(windows.kernel) != 2:
            return None
        return rows.WindowRows(windows.extent[0], windows.stride[0], windows.pad[0])


@layer_type
class Deconvolution(_Convolving):
    """The transpose of a convolution: spreads each value with a filter, and adds up where filters overlap.

    y[o, stride · p − pad + dilation · k] = b[o] + Σ_i Σ_p,k W[i, o, k] · x[i, p]
    bottom: (N…, C, sizes…), one or more of one shape
    top: (N…, num_output, (size − 1) · stride + extent − 2·pad…),
        extent = dilation · (kernel − 1) + 1
    blobs: weights (C, num_output / group, kernel…), bias (num_output)
    parameters: num_output, bias_term, group, axis (of the channels, default 1), weight_filler, bias_filler;
        once or once per spatial axis: kernel_size, stride (1), pad (0), dilation (1); or, with two spatial axes:
        kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w
    restrictions: C and num_output are multiples of group
    source: src/caffe/layers/base_conv_layer.cpp, src/caffe/layers/deconv_layer.cpp
    """

    traits = replace(_Convolving.traits, precision=Precision.SINGLE)  # scores are spread in full precision

    def weight_rows_and_columns(self) -> tuple[int, int]:
        return self.channels, self.num_output

    def top_sizes(self, sizes: Shape) -> Shape:
        windows = self.windows
        spans = zip(sizes, windows.stride, windows.extent, windows.pad, strict=True)
        return tuple((n - 1) * s + e - 2 * p for n, s, e, p in spans)

    def check_reach(self, bottom: Shape, top: Shape) -> None:
        self.windows.check_reach(self.num_output, top, self)

    def uses_of_weights(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return sum(blob.count for blob in bottom) // max(self.channels, 1)

    def rows(self, *bottoms: Shape) -> Rows | None:
        windows = self.windows
        if self.axis != 1 or len(windows.kernel) != 2 or windows.extent[0] < windows.stride[0]:
            return None
        return rows.Spread(windows.extent[0], windows.stride[0], windows.pad[0])

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        windows = self.windows
        direct = _direct(CONVOLVE_TRANSPOSED, windows)
        if direct is None:
            weight = self.weight().of_type(x.dtype)
            top = x.new_zeros(len(x), self.num_output, *self.top_sizes(tuple(x.shape[2:])))
            transposed = torch.func.vjp(lambda y: _multiply_patches(y, weight, windows, self.group), top)[1]
            return _with_bias(transposed(x)[0], self.bias)
        return direct(x, self.weight(), self.bias, windows.stride, windows.pad, windows.dilation, self.group)


@layer_type
class Im2col(TorchLayer):
    """Lays out what each position of a filter sees as channels, as a convolution does before it multiplies.

    y[c, k, p] = x[c, stride · p − pad + dilation · k], 0 outside of x; c and k together are the channels of y
    bottom: (N…, C, sizes…)
    top: (N…, C · Π kernel, ⌊(size + 2·pad − extent) / stride⌋ + 1…)
    parameters: axis (of the channels, default 1); once or once per spatial axis: kernel_size, stride (1), pad (0),
        dilation (1); or, with two spatial axes: kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w
    source: src/caffe/layers/im2col_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "convolution_param"
    traits = replace(TorchLayer.traits, replayable=True, handling=Handling.MOVED)
    ignored: ClassVar[dict[str, str]] = {
        **ONE_IMPLEMENTATION,
        **dict.fromkeys(
            ("num_output", "bias_term", "group", "weight_filler", "bias_filler"), "nothing is multiplied here"
        ),
    }

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.convolution_param
        shape = bottom[0].shape
        self.axis = canonical(param.axis, shape, self)
        axes = len(shape) - self.axis - 1
        if axes < 1:
            raise ShapeError(
                f"{self}: bottom is {shape_text(shape)}, no axis after axis {self.axis}; expected num_spatial_axes_ "
                ">= 1. Correct `axis`."
            )
        self.windows = read_windows(self, param, axes)

    def top_shapes(self, x: Shape) -> list[Shape]:
        sizes = x[self.axis + 1 :]
        positions = self.windows.positions(sizes)
        check_some_fit(self, positions, sizes)
        self.windows.check_reach(x[self.axis], sizes, self)
        return [(*x[: self.axis], x[self.axis] * math.prod(self.windows.kernel), *positions)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        outer = x.shape[: self.axis]
        seen = self.windows.patches(x.reshape(math.prod(outer), *x.shape[self.axis :]))
        seen = seen.flatten(start_dim=1, end_dim=1 + len(self.windows.kernel))
        return seen.reshape(*outer, *seen.shape[1:])


def _direct(functions: dict[int, Convolve], windows: SpatialWindow) -> Convolve | None:
    """The operation for these windows, if there is one."""
    return functions.get(len(windows.kernel)) if 0 not in windows.dilation else None


def _multiply_patches(x: torch.Tensor, weight: torch.Tensor, windows: SpatialWindow, group: int) -> torch.Tensor:
    """A convolution as Caffe computes it, patches times weights: for any number of axes, and for dilation 0."""
    positions = windows.positions(x.shape[2:])
    seen = math.prod(weight.shape[1:])
    columns = windows.patches(x).reshape(len(x), group, seen, math.prod(positions))
    return (weight.reshape(group, len(weight) // group, seen) @ columns).reshape(len(x), len(weight), *positions)


def _with_bias(y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return y if bias is None else y + bias.to(y.dtype).reshape(-1, *[1] * (y.dim() - 2))
