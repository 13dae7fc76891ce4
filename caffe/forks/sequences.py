"""Sequences: the LSTM of CTPN and of readers of text, and the layers that lay its sequences out."""

import math

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer


@register_layer
class Lstm(TorchLayer):
    """A long short-term memory over sequences, which are laid out as the items of a batch (junhyukoh's).

    i, f, o = σ, g = tanh of W x[t] + b + U h[t − 1]; c[t] = f · c[t − 1] + i · g; y[t] = h[t] = o · tanh(c[t]); where a
        sequence begins, without U h and f · c
    bottom: (T · batch_size, …), step after step; if given (T · batch_size), 0 where a sequence begins: others go on
        from the pass before
    top: (T · batch_size, num_output)
    blobs: W (4 · num_output, inputs), U (4 · num_output, num_output), b (4 · num_output), in the order i, f, o, g
    parameters: num_output, batch_size (1), weight_filler, bias_filler, clipping_threshold (0: none; the gradient of
        what goes into σ and tanh is limited to it)
    source: junhyukoh's caffe-lstm: src/caffe/layers/lstm_layer.cpp
    """

    bottoms = (1, 2)
    tops = 1
    settings = "lstm_param"
    constant = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.outputs, self.streams, self.limit = param.num_output, param.batch_size, param.clipping_threshold
        if min(self.outputs, self.streams) < 1 or self.limit < 0:
            raise NetError(
                f"{self}: num_output is {self.outputs}, batch_size {self.streams}, clipping_threshold {self.limit:g}; "
                "expected at least 1, at least 1, and 0 or more. Set them."
            )
        if not bottom[0].shape:
            raise ShapeError(f"{self}: bottom is a single number, expected (T · batch_size, …). Reshape it.")
        self.inputs = bottom[0].count // max(bottom[0].shape[0], 1)
        self.add_param((4 * self.outputs, self.inputs), param.weight_filler)
        self.add_param((4 * self.outputs, self.outputs), param.weight_filler)
        self.add_param((4 * self.outputs,), param.bias_filler)
        self.state: tuple[torch.Tensor, torch.Tensor] | None = None

    def top_shapes(self, x: Shape, goes_on: Shape | None = None) -> list[Shape]:
        wrong = not x or x[0] % self.streams or math.prod(x[1:]) != self.inputs
        if wrong or (goes_on is not None and math.prod(goes_on) != x[0]):
            raise ShapeError(
                f"{self}: bottoms are {x} and {goes_on or 'no other'}; expected (T · {self.streams}, …) with "
                "{self.inputs} numbers for each, and a number for each in the second. Correct batch_size."
            )
        return [(x[0], self.outputs)]

    def compute(self, x: torch.Tensor, *goes_on: torch.Tensor) -> torch.Tensor:
        weights, own, bias = self.tensors
        steps = F.linear(x.reshape(len(x), -1), weights, bias).reshape(-1, self.streams, 4 * self.outputs)
        zeros = x.new_zeros(self.streams, self.outputs)
        hidden, cell = (each.to(x) for each in self.state or (zeros, zeros))
        keep = goes_on[0].detach().reshape(-1, self.streams, 1) != 0 if goes_on else None
        found = []
        for index, step in enumerate(steps):
            more = x.new_full((self.streams, 1), float(index > 0)) if keep is None else keep[index].to(x)
            gates = _Limited.apply(step + more * F.linear(hidden, own), self.limit)
            enter, stay, leave = gates[:, : 3 * self.outputs].sigmoid().chunk(3, dim=1)
            cell = stay * more * cell + enter * gates[:, 3 * self.outputs :].tanh()
            hidden = leave * cell.tanh()
            found.append(hidden)
        self._ended = (hidden.detach(), cell.detach())
        return torch.cat(found) if found else x.new_zeros(0, self.outputs)

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        super().forward(bottom, top)
        self.state = self._ended if len(bottom) > 1 else None


class _Limited(torch.autograd.Function):
    """Values whose gradient is limited to ±limit, if that is above 0."""

    @staticmethod
    def forward(ctx, x, limit):  # type: ignore[no-untyped-def]
        ctx.limit = limit
        return x.clone()

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return (grad.clamp(-ctx.limit, ctx.limit) if ctx.limit else grad), None


@register_layer
class Transpose(TorchLayer):
    """Puts the axes into another order.

    y[i_dim[0], i_dim[1], …] = x[i_0, i_1, …]
    bottom: x
    top: the axes that `dim` lists
    parameters: dim: all axes
    source: CTPN's and OCR's ports: src/caffe/layers/transpose_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "transpose_param"

    def top_shapes(self, x: Shape) -> list[Shape]:
        order = list(self.message.dim)
        if sorted(order) != list(range(len(x))):
            raise ShapeError(f"{self}: bottom is {x}, dim {order}; expected each of its axes once. Correct dim.")
        return [tuple(x[axis] for axis in order)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(*self.message.dim).contiguous()


@register_layer
class Reverse(TorchLayer):
    """Turns the order along an axis around.

    y[i] = x[n − 1 − i] along the axis, which has n places
    bottom: x
    top: like x
    parameters: axis (0)
    source: CTPN's and OCR's ports: src/caffe/layers/reverse_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "reverse_param"

    def top_shapes(self, x: Shape) -> list[Shape]:
        axes = list(self.message.axis) or [0]
        if len(axes) > 1 or not 0 <= axes[0] < len(x):
            raise ShapeError(f"{self}: bottom is {x}, axis {axes}; expected one, from 0 to {len(x) - 1}. Correct it.")
        self.axis = axes[0]
        return [x]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.flip(self.axis)
