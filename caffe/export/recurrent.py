"""RNN, LSTM and LSTMUnit in ONNX: the timesteps are unrolled, because ONNX's LSTM has nothing like `cont`.

A model keeps no state: each run begins with zeros, like a net's first forward pass. With expose_hidden the states are
inputs and outputs, as in Caffe.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import converts, values_of


def _inputs(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], weights: list[np.ndarray]) -> list[str]:
    """What x (and x_static) give to the gates, (N, gates · D) for each timestep."""
    x = bottoms[0]
    steps, streams = g.dim(x, 0), g.dim(x, 1)
    flat = g.reshape(x.name, [steps * streams, g.size(weights[0].shape[1])])
    y = g.add("Gemm", [flat, g.constant(weights[0], "weight_x"), g.constant(weights[1], "bias")], transB=1)
    size = weights[0].shape[0]
    y = g.reshape(y, [steps, streams, g.size(size)])
    if layer.has_static:
        static = bottoms[2]
        flat = g.reshape(static.name, [streams, g.size(weights[2].shape[1])])
        y = g.add("Add", [y, g.add("Gemm", [flat, g.constant(weights[2], "weight_static")], transB=1)])
    return _steps(g, y, layer.steps)


def _steps(g: OnnxGraph, x: str, count: int) -> list[str]:
    """(T, N, …) → T × (N, …)."""
    return [g.add("Gather", [x, g.constant(np.array(step, np.int64), "step")], axis=0) for step in range(count)]


def _conts(g: OnnxGraph, cont: OnnxValue, count: int) -> list[str]:
    """(T, N) → T × (N, 1)."""
    return _steps(g, g.add("Unsqueeze", [cont.name, g.constant([2], "axes")]), count)


def _begin(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue]) -> list[str | None]:
    """The exposed states at the beginning (N, D); else none, which is zeros."""
    if not layer.exposes:
        return [None] * layer.states
    return [g.add("Squeeze", [x.name, g.constant([0], "axes")]) for x in bottoms[2 + layer.has_static :]]


def _stacked(g: OnnxGraph, steps: list[str]) -> str:
    axes = g.constant([0], "axes")
    return g.add("Concat", [g.add("Unsqueeze", [each, axes]) for each in steps], axis=0)


def _exposed(g: OnnxGraph, layer: Any, top: str, states: Sequence[str]) -> Sequence[str]:
    axes = g.constant([0], "axes")
    return [top, *(g.add("Unsqueeze", [each, axes]) for each in states)] if layer.exposes else [top]


@converts("RNN")
def rnn(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    weights = values_of(layer)
    hidden_weight, output_weight, output_bias = weights[2 + layer.has_static :]
    (h,) = _begin(g, layer, bottoms)
    recurrent = g.constant(hidden_weight.T, "weight_h")
    ends = [g.constant(output_weight.T, "weight_o"), g.constant(output_bias, "bias_o")]
    outputs = []
    pairs = zip(_inputs(g, layer, bottoms, weights), _conts(g, bottoms[1], layer.steps), strict=True)
    for x, cont in pairs:
        if h is not None:
            x = g.add("Add", [x, g.add("MatMul", [g.add("Mul", [h, cont]), recurrent])])
        h = g.add("Tanh", [x])
        outputs.append(g.add("Tanh", [g.add("Add", [g.add("MatMul", [h, ends[0]]), ends[1]])]))
    assert h is not None
    return _exposed(g, layer, _stacked(g, outputs), [h])


@converts("LSTM")
def lstm(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    weights = values_of(layer)
    h, c = _begin(g, layer, bottoms)
    recurrent = g.constant(weights[2 + layer.has_static].T, "weight_h")
    outputs = []
    pairs = zip(_inputs(g, layer, bottoms, weights), _conts(g, bottoms[1], layer.steps), strict=True)
    for gates, cont in pairs:
        if h is not None:
            gates = g.add("Add", [gates, g.add("MatMul", [g.add("Mul", [h, cont]), recurrent])])
        c, h = _unit(g, c, gates, cont, layer.num_output)
        outputs.append(h)
    assert h is not None
    assert c is not None
    return _exposed(g, layer, _stacked(g, outputs), [h, c])


def _unit(g: OnnxGraph, c: str | None, gates: str, cont: str, width: int) -> tuple[str, str]:
    """c and h after a timestep; c None: zeros."""
    sizes = g.constant(np.full(4, width, np.int64), "gates")
    i, f, o, new = g.add_many("Split", [gates, sizes], 4, axis=-1)
    change = g.add("Mul", [g.add("Sigmoid", [i]), g.add("Tanh", [new])])
    if c is not None:
        kept = g.add("Mul", [g.add("Mul", [cont, g.add("Sigmoid", [f])]), c])
        change = g.add("Add", [kept, change])
    return change, g.add("Mul", [g.add("Sigmoid", [o]), g.add("Tanh", [change])])


@converts("LSTMUnit")
def lstm_unit(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    c, gates, cont = bottoms
    width = c.shape[2]
    assert width is not None
    through = g.add("Unsqueeze", [cont.name, g.constant([2], "axes")])
    return _unit(g, c.name, gates.name, through, width)
