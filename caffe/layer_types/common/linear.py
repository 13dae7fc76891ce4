"""Layers with weights that multiply and add."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F

from caffe import ops
from caffe.blob import Blob
from caffe.errors import DataError, NetError, ShapeError
from caffe.layer_types.base import Handling, NativeLayer, Precision, Rows, Shape, TorchLayer, Traits, layer_type
from caffe.layer_types.helpers.axes import canonical
from caffe.proto import caffe_pb2


@layer_type
class InnerProduct(TorchLayer):
    """A fully connected layer.

    y = W x + b, x being all axes from `axis` on
    bottom: (N…, K…)
    top: (N…, num_output)
    blobs: W (num_output, K), b (num_output)
    parameters: num_output, bias_term, weight_filler, bias_filler, axis (default 1), transpose (W is K × num_output)
    source: src/caffe/layers/inner_product_layer.cpp
    """

    bottoms = 1
    tops = 1
    traits = replace(TorchLayer.traits, needs_tops=False, replayable=True, precision=Precision.CHOSEN, weighted=True)
    settings = "inner_product_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.inner_product_param
        shape = bottom[0].shape
        self.axis = canonical(param.axis, shape, self)
        self.num_output, self.transpose = param.num_output, param.transpose
        if self.num_output < 1:
            raise NetError(f"{self}: num_output is {self.num_output}, expected at least 1. Set it.")
        self.inputs = math.prod(shape[self.axis :])
        weights = (self.inputs, self.num_output) if self.transpose else (self.num_output, self.inputs)
        self.add_param(weights, param.weight_filler)
        if param.bias_term:
            self.add_param((self.num_output,), param.bias_filler)

    def top_shapes(self, x: Shape) -> list[Shape]:
        if math.prod(x[self.axis :]) != self.inputs:
            raise ShapeError(
                f"{self}: bottom is {x}, {math.prod(x[self.axis :])} inputs from axis {self.axis} on, the weights want "
                f"{self.inputs}. Input size incompatible with inner product parameters."
            )
        return [(*x[: self.axis], self.num_output)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        bias = self.tensors[1] if len(self.tensors) > 1 else None
        return ops.linear(x.flatten(start_dim=self.axis), self.weight(), bias, transpose=self.transpose)

    def uses_of_weights(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return top[0].count // self.num_output


@layer_type
class Embed(TorchLayer):
    """Looks up a row of weights for every index.

    y = W[index] + b
    bottom: indices (N…), 0 … input_dim − 1
    top: (N…, num_output)
    blobs: W (input_dim, num_output), b (num_output)
    parameters: num_output, input_dim, bias_term, weight_filler, bias_filler
    restrictions: the indices have no gradient
    source: src/caffe/layers/embed_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "embed_param"
    traits = replace(TorchLayer.traits, handling=Handling.MOVED)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.embed_param
        self.num_output, self.input_dim = param.num_output, param.input_dim
        if self.num_output <= 0:
            raise NetError(f"{self}: num_output is {self.num_output}. EmbedLayer num_output must be positive.")
        if self.input_dim <= 0:
            raise NetError(f"{self}: input_dim is {self.input_dim}. EmbedLayer input_dim must be positive.")
        self.add_param((self.input_dim, self.num_output), param.weight_filler)
        if param.bias_term:
            self.add_param((self.num_output,), param.bias_filler)

    def top_shapes(self, index: Shape) -> list[Shape]:
        return [(*index, self.num_output)]

    def compute(self, index: torch.Tensor) -> torch.Tensor:
        rows = index.detach().long()
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < self.input_dim:
            raise DataError(
                f"{self}: indices {int(rows.min())} … {int(rows.max())}, expected 0 … {self.input_dim - 1}. "
                "Correct the data or raise input_dim."
            )
        values = F.embedding(rows, self.tensors[0])
        return values + self.tensors[1] if len(self.tensors) > 1 else values

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        if propagate_down[0]:
            raise NetError(f"{self}: Can't backpropagate to EmbedLayer input. Set propagate_down: false.")
        super().backward(top, propagate_down, bottom)


class _Broadcast(TorchLayer):
    """A second factor or summand that covers some axes of the first bottom: learned, or the second bottom."""

    bottoms = (1, 2)
    tops = 1
    traits = replace(TorchLayer.traits, replayable=True)
    noun: ClassVar[str]
    axis: int

    def covered(self, x: Shape, axis: int, num_axes: int) -> Shape:
        """The shape of the learned blob: num_axes axes of x from `axis` on, −1 for all that follow."""
        if num_axes < -1:
            raise NetError(
                f"{self}: num_axes is {num_axes}: num_axes must be non-negative, "
                "or -1 to extend to the end of bottom[0]."
                " Correct it."
            )
        first = canonical(axis, x, self)
        if num_axes >= 0 and first + num_axes > len(x):
            raise ShapeError(
                f"{self}: {self.noun} blob's shape extends past bottom[0]'s shape when applied starting with "
                f"bottom[0] axis = {first}: bottom is {x}, num_axes {num_axes}."
                " Lower `axis` or `num_axes`."
            )
        return x[first:] if num_axes == -1 else x[first : first + num_axes]

    def rows(self, *bottoms: Shape) -> Rows | None:
        x, other = bottoms[0], bottoms[1:]
        if other:
            return Rows() if other[0] == x else None
        return Rows() if self.fit(x, self.blobs[0].shape, self.axis)[2] == 1 else None

    def fit(self, x: Shape, other: Shape, axis: int) -> Shape:
        """`other` with ones around it, so that it broadcasts against x."""
        first = canonical(axis, x, self) if other else 0
        if len(x) < first + len(other):
            raise ShapeError(
                f"{self}: {self.noun} blob's shape extends past bottom[0]'s shape when applied starting with "
                f"bottom[0] axis = {first}: {other} and {x}."
                " Lower `axis`, or give a smaller blob."
            )
        if x[first : first + len(other)] != other:
            raise ShapeError(
                f"{self}: dimension mismatch between bottom[0] {x} and the {self.noun} blob {other}, applied from axis "
                f"{first} on. They must be equal there."
            )
        return (1,) * first + other + (1,) * (len(x) - first - len(other))


@layer_type
class Scale(_Broadcast):
    """Multiplies by factors that cover some of the axes, and may add a bias.

    y = x · s (+ b)
    bottom: x, and s unless it is learned
    top: like x
    blobs: s if it is learned, b if there is a bias: num_axes axes of x from `axis` on
    parameters: axis (default 1), num_axes (default 1), filler (default: 1), bias_term, bias_filler
    source: src/caffe/layers/scale_layer.cpp
    """

    settings = "scale_param"
    noun = "scale"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.scale_param
        self.axis, self.learned = param.axis, len(bottom) == 1
        self.traits = replace(self.traits, weighted=self.learned, multiplies_bottoms=not self.learned)
        if self.learned:
            covered = self.covered(bottom[0].shape, param.axis, param.num_axes)
            default = caffe_pb2.FillerParameter(type="constant", value=1)
            self.add_param(covered, param.filler if param.HasField("filler") else default)
        if param.bias_term:
            shape = bottom[1].shape if not self.learned else self.blobs[0].shape
            self.add_param(shape, param.bias_filler)

    def top_shapes(self, x: Shape, *factor: Shape) -> list[Shape]:
        other = factor[0] if factor else self.blobs[0].shape
        self.factor_shape = self.fit(x, other, self.axis)
        return [x]

    def compute(self, x: torch.Tensor, *factor: torch.Tensor) -> torch.Tensor:
        scale, *bias = (*factor, *self.tensors)
        y = x * scale.reshape(self.factor_shape)
        return y + bias[0].reshape(self.factor_shape) if bias else y

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return (len(self.blobs) or 1) * top[0].count


@layer_type
class Bias(_Broadcast):
    """Adds summands that cover some of the axes.

    y = x + b
    bottom: x, and b unless it is learned
    top: like x
    blobs: b if it is learned: num_axes axes of x from `axis` on
    parameters: axis (default 1), num_axes (default 1), filler (default: 0)
    source: src/caffe/layers/bias_layer.cpp
    """

    settings = "bias_param"
    noun = "bias"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.bias_param
        self.axis = param.axis
        if len(bottom) == 1:
            self.add_param(self.covered(bottom[0].shape, param.axis, param.num_axes), param.filler)

    def top_shapes(self, x: Shape, *summand: Shape) -> list[Shape]:
        other = summand[0] if summand else self.blobs[0].shape
        self.summand_shape = self.fit(x, other, self.axis)
        return [x]

    def compute(self, x: torch.Tensor, *summand: torch.Tensor) -> torch.Tensor:
        (bias,) = summand or self.tensors
        return x + bias.reshape(self.summand_shape)


@layer_type
class Parameter(NativeLayer):
    """Gives a parameter as a blob.

    top: the parameter, of the shape in the settings
    parameters: shape
    source: include/caffe/layers/parameter_layer.hpp
    """

    bottoms = 0
    tops = 1
    settings = "parameter_param"
    traits = Traits(handling=Handling.UNTOUCHED)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        if not self.blobs:
            self.blobs.add_blob(*self.layer_param.parameter_param.shape.dim)
        top[0].reshape(*self.layer_param.parameter_param.shape.dim)

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        top[0].share_data(self.blobs[0])
        top[0].share_diff(self.blobs[0])

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None: ...
