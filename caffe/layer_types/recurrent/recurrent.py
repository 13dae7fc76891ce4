"""Recurrent layers over a fixed number of timesteps (src/caffe/layers/recurrent_layer.cpp).

Caffe builds a net of small layers for each timestep; here the recurrence is written out. The gradient stays within one
batch: what a layer carries over from the batch before, and the states it exposes, have none.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Shape, TorchLayer, layer_type
from caffe.layer_types.helpers.axes import canonical
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text


class Recurrent(TorchLayer):
    """T timesteps of N streams; the state after the last one is where the next forward pass goes on."""

    states: ClassVar[int]
    """How many blobs the state consists of."""
    gates: ClassVar[int]
    """How many numbers a timestep takes for each output."""
    no_gradient = (1,)
    settings = "recurrent_param"
    ignored = {"debug_info": "there is no inner net whose blobs could be logged"}

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        super().__init__(layer_param)
        self.exposes = layer_param.recurrent_param.expose_hidden
        exposed = self.states if self.exposes else 0
        self.bottoms = (2 + exposed, 3 + exposed)
        self.tops = 1 + exposed
        self._before: list[torch.Tensor] = []
        self._after: list[torch.Tensor] = []

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.recurrent_param
        shapes = [blob.shape for blob in bottom]
        self.num_output = param.num_output
        self.has_static = len(bottom) == self.bottoms[1]  # type: ignore[index]
        self.steps: int | None = None
        self._check(*shapes)
        self.steps = shapes[0][0]
        if self.num_output <= 0:
            raise NetError(f"{self}: num_output is {self.num_output}, but num_output must be positive. Set it.")
        canonical(2, shapes[0], self)
        size = self.gates * self.num_output
        self.add_param((size, math.prod(shapes[0][2:])), param.weight_filler)
        self.add_param((size,), param.bias_filler)
        if self.has_static:
            canonical(1, shapes[2], self)
            self.add_param((size, math.prod(shapes[2][1:])), param.weight_filler)
        self.add_param((size, self.num_output), param.weight_filler)

    def _check(self, x: Shape, cont: Shape, *more: Shape) -> None:
        if len(x) < 2:
            raise ShapeError(
                f"{self}: bottom 0 is {x}: bottom[0] must have at least 2 axes -- (#timesteps, #streams, ...). "
                "Reshape it."
            )
        if self.steps is not None and x[0] != self.steps:
            raise ShapeError(
                f"{self}: {x[0]} timesteps, {self.steps} before: input number of timesteps changed. Keep it."
            )
        if len(cont) != 2:
            raise ShapeError(
                f"{self}: bottom 1 is {cont}: bottom[1] must have exactly 2 axes -- (#timesteps, #streams). Reshape it."
            )
        self._expect("T_ == bottom[1]->shape(0)", x, cont, x[0], cont[0])
        self._expect("N_ == bottom[1]->shape(1)", x, cont, x[1], cont[1])
        if self.has_static:
            canonical(0, more[0], self)
            self._expect("N_ == bottom[2]->shape(0)", x, more[0], x[1], more[0][0])

    def _expect(self, condition: str, x: Shape, other: Shape, expected: int, found: int) -> None:
        if found != expected:
            raise ShapeError(
                f"{self}: bottom 0 is {shape_text(x)} (timesteps, streams, …), another is {shape_text(other)}: "
                f"{condition} ({expected} vs. {found}). Make them fit."
            )

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        self._check(*bottoms)
        x, state = bottoms[0], (1, bottoms[0][1], self.num_output)
        inputs = [(0, math.prod(x[2:]))] + ([(2, math.prod(bottoms[2][1:]))] if self.has_static else [])
        for index, count in inputs:
            if count != self.blobs[index].shape[1]:
                raise ShapeError(
                    f"{self}: bottom {index} is {shape_text(bottoms[index])}, {count} inputs, the weights want "
                    f"{self.blobs[index].shape[1]}. Input size incompatible with inner product parameters."
                )
        hidden = bottoms[2 + self.has_static :]
        for index, shape in enumerate(hidden):
            if shape != state:
                raise ShapeError(
                    f"{self}: an exposed state has another shape: shape mismatch - recur_input_blobs_[{index}]: "
                    f"{shape_text(state)} vs. bottom[{2 + self.has_static + index}]: {shape_text(shape)}. Reshape "
                    "that bottom."
                )
        return [(*x[:2], self.num_output), *(state for _ in hidden)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        self._before = self._after
        super().forward(bottom, top)

    def compute(self, x: torch.Tensor, cont: torch.Tensor, *more: torch.Tensor) -> list[torch.Tensor]:
        weight, bias, *others = self.tensors
        inputs = F.linear(x.flatten(2), weight, bias)
        if self.has_static:
            inputs = inputs + F.linear(more[0].flatten(1), others.pop(0))
        begin = [state.detach()[0] for state in more[self.has_static :]] if self.exposes else self._carried_over(inputs)
        top, end = self.unroll(inputs.unbind(0), cont.detach().unsqueeze(-1).unbind(0), begin, others)
        end = [state.detach() for state in end]
        if self.exposes:
            return [top, *(state.unsqueeze(0) for state in end)]
        self._after = [
            torch.cat([new, old[len(new) :].to(new)]) for new, old in zip(end, self._before or end, strict=True)
        ]
        return [top]

    def uses_of_weights(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return math.prod(top[0].shape[:2])

    def _carried_over(self, like: torch.Tensor) -> list[torch.Tensor]:
        """The state of each stream after its last forward pass; zeros if there never were as many streams."""
        streams = like.shape[1]
        if self._before and len(self._before[0]) >= streams:
            return [state[:streams].to(like) for state in self._before]
        return [like.new_zeros(streams, self.num_output)] * self.states

    def unroll(
        self,
        inputs: tuple[torch.Tensor, ...],
        cont: tuple[torch.Tensor, ...],
        begin: list[torch.Tensor],
        weights: list[torch.Tensor],
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The top (T, N, D), the last state. inputs: T × (N, gates · D); cont: T × (N, 1); begin: the first state."""
        raise NotImplementedError

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        _refuse_indicators(self, propagate_down, 1)
        super().backward(top, propagate_down, bottom)


def _refuse_indicators(layer: TorchLayer, propagate_down: list[bool], index: int) -> None:
    if propagate_down[index]:
        raise NetError(
            f"{layer}: Cannot backpropagate to sequence indicators. Set propagate_down: false for bottom {index}."
        )


@layer_type
class RNN(Recurrent):
    """A simple recurrent net with a tanh for the hidden state and one for the output.

    h_t = tanh(W_hh (cont_t h_{t−1}) + W_xh x_t + b_h + W_xh_static x_static); y_t = tanh(W_ho h_t + b_o)
    bottom: x (T, N, …); cont (T, N): 0 where a sequence begins, else 1; optionally x_static (N, …); with expose_hidden
        h_0 (1, N, D)
    top: y (T, N, D); with expose_hidden h_T (1, N, D)
    parameters: num_output (D), weight_filler, bias_filler, expose_hidden
    blobs: W_xh, b_h, (W_xh_static), W_hh, W_ho, b_o
    source: src/caffe/layers/rnn_layer.cpp
    """

    bottoms = (2, 4)
    tops = (1, 2)
    states = 1
    gates = 1

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        super().setup(bottom, top)
        param = self.layer_param.recurrent_param
        self.add_param((self.num_output, self.num_output), param.weight_filler)
        self.add_param((self.num_output,), param.bias_filler)

    def unroll(
        self,
        inputs: tuple[torch.Tensor, ...],
        cont: tuple[torch.Tensor, ...],
        begin: list[torch.Tensor],
        weights: list[torch.Tensor],
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        hidden_weight, output_weight, output_bias = weights
        (h,) = begin
        steps = []
        for x_t, cont_t in zip(inputs, cont, strict=True):
            h = torch.tanh(x_t + F.linear(h * cont_t, hidden_weight))
            steps.append(h)
        return torch.tanh(F.linear(torch.stack(steps), output_weight, output_bias)), [h]


@layer_type
class LSTM(Recurrent):
    """A long short-term memory.

    i, f, o, g = W_hc (cont_t h_{t−1}) + W_xc x_t + b_c + W_xc_static x_static; c_t, h_t from LSTMUnit; y_t = h_t
    bottom: x (T, N, …); cont (T, N): 0 where a sequence begins, else 1; optionally x_static (N, …); with expose_hidden
        h_0 and c_0 (1, N, D)
    top: y (T, N, D); with expose_hidden h_T and c_T (1, N, D)
    parameters: num_output (D), weight_filler, bias_filler, expose_hidden
    blobs: W_xc, b_c, (W_xc_static), W_hc
    source: src/caffe/layers/lstm_layer.cpp
    """

    bottoms = (2, 5)
    tops = (1, 3)
    states = 2
    gates = 4

    def unroll(
        self,
        inputs: tuple[torch.Tensor, ...],
        cont: tuple[torch.Tensor, ...],
        begin: list[torch.Tensor],
        weights: list[torch.Tensor],
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        h, c = begin
        steps = []
        for x_t, cont_t in zip(inputs, cont, strict=True):
            c, h = _unit(c, x_t + F.linear(h * cont_t, weights[0]), cont_t)
            steps.append(h)
        return torch.stack(steps), [h, c]


@layer_type
class LSTMUnit(TorchLayer):
    """One timestep of an LSTM.

    c = cont · sigmoid(f) · c_prev + sigmoid(i) · tanh(g); h = sigmoid(o) · tanh(c)
    bottom: c_prev (1, N, D); the gates i, f, o, g (1, N, 4 D); cont (1, N)
    top: c, h (1, N, D)
    source: src/caffe/layers/lstm_unit_layer.cpp
    """

    bottoms = 3
    tops = 2
    no_gradient = (2,)
    traits = replace(TorchLayer.traits, replayable=True)

    def top_shapes(self, c: Shape, gates: Shape, cont: Shape) -> list[Shape]:
        canonical(1, c, self)
        for index, (shape, axes) in enumerate(((c, 3), (gates, 3), (cont, 2))):
            self._expect(f"{axes} == bottom[i]->num_axes()", index, shape, axes, len(shape))
            self._expect("1 == bottom[i]->shape(0)", index, shape, 1, shape[0])
            self._expect("num_instances == bottom[i]->shape(1)", index, shape, c[1], shape[1])
        self._expect("4 * hidden_dim_ == bottom[1]->shape(2)", 1, gates, 4 * c[2], gates[2])
        return [c, c]

    def _expect(self, condition: str, index: int, shape: Shape, expected: int, found: int) -> None:
        if found != expected:
            raise ShapeError(
                f"{self}: bottom {index} is {shape_text(shape)}, expected (1, N, D), (1, N, 4 D), (1, N): {condition} "
                f"({expected} vs. {found}). Reshape it."
            )

    def compute(self, c: torch.Tensor, gates: torch.Tensor, cont: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _unit(c, gates, cont.detach().unsqueeze(-1))

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        _refuse_indicators(self, propagate_down, 2)
        super().backward(top, propagate_down, bottom)


def _unit(c: torch.Tensor, gates: torch.Tensor, cont: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """c and h after a timestep. gates: (…, 4 D); cont: (…, 1)."""
    i, f, o, g = gates.chunk(4, -1)
    c = _ForgetGate.apply(f, cont) * c + torch.sigmoid(i) * torch.tanh(g)
    return c, torch.sigmoid(o) * torch.tanh(c)


class _ForgetGate(torch.autograd.Function):
    """f = cont · sigmoid(x), with Caffe's gradient f (1 − f), which is the true one for cont 0 and 1 only."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cont: torch.Tensor) -> torch.Tensor:
        gate = (cont * torch.sigmoid(x)).where(cont != 0, 0)
        ctx.save_for_backward(gate)
        return gate

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gate,) = ctx.saved_tensors
        return gradients[0] * gate * (1 - gate), None
