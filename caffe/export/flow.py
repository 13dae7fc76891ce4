"""FlowNet 2's layers in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import NeedsFixedSizes, converts


@converts("ChannelNorm")
def channel_norm(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    return [g.reduce("ReduceL2", bottoms[0].name, [1], keep=True)]


@converts("Mean")
def mean(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """A mean of the images' size fixes that."""
    stored = layer.add.detach().cpu().numpy()
    given, out = layer.scales
    names = []
    for x in bottoms:
        if stored.shape[2:] != (1, 1) and not all(g.dim(x, axis).known for axis in (2, 3)):
            raise NeedsFixedSizes
        added = g.constant(out * np.tile(stored, (1, x.shape[1] // stored.shape[1], 1, 1)), "mean")
        names.append(g.add("Add", [g.add("Mul", [x.name, g.number(given * out)]), added]))
    return names
