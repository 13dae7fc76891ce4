"""Functions of one element at a time in ONNX."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import converts, values_of

Formula = Callable[[OnnxGraph, Any, str], str]


def _element(*types: str) -> Callable[[Formula], Formula]:
    """Register a function of one blob's name."""

    def register(function: Formula) -> Formula:
        converts(*types)(lambda g, layer, bottoms, tops: [function(g, layer, bottoms[0].name)])
        return function

    return register


@_element("AbsVal", "BNLL", "Sigmoid", "TanH")
def _plain(g: OnnxGraph, layer: Any, x: str) -> str:
    return g.add({"AbsVal": "Abs", "BNLL": "Softplus", "Sigmoid": "Sigmoid", "TanH": "Tanh"}[layer.type], [x])


@_element("Clip")
def _clip(g: OnnxGraph, layer: Any, x: str) -> str:
    """The lower bound counts where they cross."""
    return g.add("Max", [g.add("Min", [x, g.number(layer.max)]), g.number(layer.min)])


@_element("Dropout")
def _dropout(g: OnnxGraph, layer: Any, x: str) -> str:
    return x if layer.scales_train else g.add("Mul", [x, g.number(1 - layer.ratio)])


@_element("ELU")
def _elu(g: OnnxGraph, layer: Any, x: str) -> str:
    return g.add("Elu", [x], alpha=float(layer.alpha))


@_element("Exp")
def _exp(g: OnnxGraph, layer: Any, x: str) -> str:
    return g.add("Mul", [g.add("Exp", [g.add("Mul", [x, g.number(layer.inner)])]), g.number(layer.outer)])


@_element("HardSwish")
def _hard_swish(g: OnnxGraph, layer: Any, x: str) -> str:
    factor = g.add("Min", [g.add("Max", [g.add("Add", [x, g.number(3)]), g.number(0)]), g.number(6)])
    return g.add("Div", [g.add("Mul", [x, factor]), g.number(6)])


@_element("Log")
def _log(g: OnnxGraph, layer: Any, x: str) -> str:
    linear = g.add("Add", [g.add("Mul", [x, g.number(layer.scale)]), g.number(layer.shift)])
    return g.add("Mul", [g.add("Log", [linear]), g.number(layer.factor)])


@_element("Mish")
def _mish(g: OnnxGraph, layer: Any, x: str) -> str:
    return g.add("Mul", [x, g.add("Tanh", [g.add("Softplus", [x])])])


@_element("NegReLU")
def _negative_relu(g: OnnxGraph, layer: Any, x: str) -> str:
    below = g.add("Min", [x, g.number(0)])
    if not layer.slope:
        return below
    return g.add("Add", [below, g.add("Mul", [g.add("Relu", [x]), g.number(layer.slope)])])


@_element("Power")
def _power(g: OnnxGraph, layer: Any, x: str) -> str:
    if layer.power * layer.scale == 0:
        constant = 1.0 if layer.power == 0 else layer.shift**layer.power
        zeros = g.add("ConstantOfShape", [g.add("Shape", [x])], value=np.full(1, constant, g.kind))
        return zeros
    linear = x if layer.scale == 1 else g.add("Mul", [x, g.number(layer.scale)])
    linear = linear if layer.shift == 0 else g.add("Add", [linear, g.number(layer.shift)])
    return linear if layer.power == 1 else g.add("Pow", [linear, g.number(layer.power)])


@converts("PReLU")
def _prelu(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (slopes,) = values_of(layer)
    shape = (-1, *[1] * (len(bottoms[0].shape) - 2)) if slopes.size > 1 else (1,)
    return [g.add("PRelu", [bottoms[0].name, g.constant(slopes.reshape(shape), "slope")])]


@_element("ReLU")
def _relu(g: OnnxGraph, layer: Any, x: str) -> str:
    slope = float(layer.negative_slope)
    return g.add("LeakyRelu", [x], alpha=slope) if slope else g.add("Relu", [x])


@_element("ReLU6", "LimitedReLU")
def _relu6(g: OnnxGraph, layer: Any, x: str) -> str:
    y = g.add("LeakyRelu", [x], alpha=float(layer.slope)) if layer.slope else g.add("Relu", [x])
    return g.add("Min", [y, g.number(layer.limit)])


@_element("Round")
def _round(g: OnnxGraph, layer: Any, x: str) -> str:
    """Halves go away from zero, where ONNX's Round goes to the even number."""
    size = g.add("Floor", [g.add("Add", [g.add("Abs", [x]), g.number(0.5)])])
    return g.add("Mul", [g.add("Sign", [x]), size])


@_element("SpatialDropout")
def _spatial_dropout(g: OnnxGraph, layer: Any, x: str) -> str:
    return x


@_element("Swish")
def _swish(g: OnnxGraph, layer: Any, x: str) -> str:
    inner = x if layer.beta == 1 else g.add("Mul", [x, g.number(layer.beta)])
    return g.add("Mul", [x, g.add("Sigmoid", [inner])])


@_element("Threshold")
def _threshold(g: OnnxGraph, layer: Any, x: str) -> str:
    return g.real(g.add("Greater", [x, g.number(layer.threshold)]))
