"""LRN, MVN, BatchNorm and Softmax in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import converts, values_of


@converts("LRN")
def lrn(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    x, side = bottoms[0].name, layer.size
    if layer.across_channels and min(layer.alpha, layer.beta, layer.k) > 0:
        settings = {"alpha": layer.alpha, "beta": layer.beta, "bias": layer.k}
        return [g.add("LRN", [x], size=layer.size, **{name: float(value) for name, value in settings.items()})]
    energy = g.add("Mul", [x, x])
    if layer.across_channels:  # readers take ONNX's LRN with positive settings alone
        batch, channels, height, width = g.dims(bottoms[0])
        rows = g.reshape(energy, [batch, g.size(1), channels, height * width])
        energy = g.reshape(_means(g, rows, (side, 1)), [batch, channels, height, width])
    else:
        energy = _means(g, energy, (side, side))
    denominator = g.add("Add", [g.add("Mul", [energy, g.number(layer.alpha)]), g.number(layer.k)])
    return [g.add("Mul", [x, g.add("Pow", [denominator, g.number(-layer.beta)])])]


def _means(g: OnnxGraph, x: str, window: tuple[int, int]) -> str:
    """The mean of what lies around each place, zero beyond the map."""
    pads = [side // 2 for side in window] * 2
    return g.add("AveragePool", [x], kernel_shape=list(window), strides=[1, 1], pads=pads, count_include_pad=1)


@converts("MVN")
def mvn(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    missing = 4 - len(x.shape)
    y = x.name if not missing else g.reshape(x.name, [*g.dims(x), *[1] * missing])
    centred = g.add("Sub", [y, g.reduce("ReduceMean", y, layer.dims, keep=True)])
    if not layer.normalize_variance:
        return [centred]
    variance = g.reduce("ReduceMean", g.add("Mul", [centred, centred]), layer.dims, keep=True)
    return [g.add("Div", [centred, g.add("Add", [g.add("Sqrt", [variance]), g.number(layer.eps)])])]


def by_batch(g: OnnxGraph, x: str, axes: Sequence[int], eps: float) -> str:
    """(x − mean) / √(variance + eps), by the batch's own mean and variance."""
    centred = g.add("Sub", [x, g.reduce("ReduceMean", x, axes, keep=True)])
    variance = g.reduce("ReduceMean", g.add("Mul", [centred, centred]), axes, keep=True)
    return g.add("Div", [centred, g.add("Sqrt", [g.add("Add", [variance, g.number(eps)])])])


def by_channel(values: np.ndarray, axes: int) -> np.ndarray:
    """One number a channel, so that it broadcasts against a blob of so many axes."""
    return values.reshape(-1, *[1] * (axes - 2))


@converts("BatchNorm")
def batch_norm(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    axes = len(x.shape)
    values = values_of(layer)
    scale, bias = (values[3:5]) if layer.scales else (np.ones_like(values[0]), np.zeros_like(values[0]))
    if not layer.use_global_stats:
        y = by_batch(g, x.name, [0, *range(2, axes)], layer.eps)
        if layer.scales:
            y = g.add("Mul", [y, g.constant(by_channel(scale, axes), "scale")])
            y = g.add("Add", [y, g.constant(by_channel(bias, axes), "bias")])
        return [y]
    count = float(values[2].reshape(-1)[0])
    share = 1.0 if layer.scales else 0.0 if count == 0 else 1 / count
    mean, variance = (total.reshape(-1) * np.float32(share) for total in values[:2])
    names = [
        g.constant(array.reshape(-1).astype(np.float32), word)
        for array, word in ((scale, "scale"), (bias, "bias"), (mean, "mean"), (variance, "variance"))
    ]
    return [g.add("BatchNormalization", [x.name, *names], epsilon=float(layer.eps))]


@converts("Softmax")
def softmax(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return [g.add("Softmax", [bottoms[0].name], axis=layer.axis)]
