"""torchvision's weights in Caffe's nets: other names, RGB for BGR, and another preprocessing of images.

torchvision's nets take RGB in 0–1, normalised by a mean and a deviation for each channel; Caffe's take BGR in 0–255
minus a mean. The difference is folded into the first convolution. The two compute the same, except that zero padding
stands for the pixel value `mean`: with torchvision's own they agree everywhere; with FCN's, which the nets subtract,
the padding is off by at most 1 of 255, and VGG16's conv1_1 by 0.3 % along the border.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fcn_caffe.data_layers.segdata import shown

MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])
"""Red, green, blue, in 0–1."""

LayerArrays = dict[str, tuple[np.ndarray, np.ndarray]]
"""Weights and biases by the name of the layer in Caffe's net."""


def _vgg16() -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    position = 0
    for block, depth in enumerate((2, 2, 3, 3, 3), 1):
        for number in range(1, depth + 1):
            names[f"conv{block}_{number}"] = (f"features.{position}",)
            position += 2  # a convolution and its ReLU
        position += 1  # the pooling
    names["fc6"] = ("classifier.0", "pre_logits.fc1")
    names["fc7"] = ("classifier.3", "pre_logits.fc2")
    return {**names, "fc8": ("classifier.6", "head.fc")}


def _squeezenet() -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {"conv1": ("features.0",)}
    for number, position in enumerate((3, 4, 6, 7, 9, 10, 11, 12), 2):
        for part, theirs in (("squeeze1x1", "squeeze"), ("expand1x1", "expand1x1"), ("expand3x3", "expand3x3")):
            names[f"fire{number}/{part}"] = (f"features.{position}.{theirs}",)
    return {**names, "conv10": ("classifier.1",)}


NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "vgg16": _vgg16(),
    "alexnet_owt": {
        **{f"conv{number}": (f"features.{position}",) for number, position in enumerate((0, 3, 6, 8, 10), 1)},
        **{f"fc{number}": (f"classifier.{position}",) for number, position in ((6, 1), (7, 4), (8, 6))},
    },
    "squeezenet": _squeezenet(),
}
"""Caffe's layers, and what torchvision's are called (and, after it, timm's, where that differs)."""


def layers(net: str, state: dict[str, np.ndarray]) -> LayerArrays:
    """The kernels (out×in×height×width) and biases of a state dict, by layer. Raises ValueError if it does not fit."""
    if net not in NAMES:
        raise ValueError(
            f"torchvision's {net} is another net than Caffe's, expected one of {', '.join(NAMES)}. Choose one of these."
        )
    rest, found = dict(state), {}
    for layer, names in NAMES[net].items():
        for name in names:
            if f"{name}.weight" in rest and f"{name}.bias" in rest:
                found[layer] = rest.pop(f"{name}.weight"), rest.pop(f"{name}.bias")
    if rest or not found:
        some = shown.first(rest, 4)
        raise ValueError(
            f"the state dict has {some or 'nothing'}, expected what torchvision's {net} has: no other net."
            " Name the file of that net."
        )
    return found


def fold(kernel: np.ndarray, bias: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first convolution for BGR in 0–255 minus `mean` (blue, green, red), from that for normalised RGB.

    kernel: out × in × height × width. The net's own input is x = (p/255 − m)/s for a pixel p; Caffe's is v = p − mean.
    So x = (v + mean − 255 m)/(255 s): weights are divided by 255 s, and the rest is constant and goes into the biases.
    """
    weights = kernel / (255 * DEVIATION)[:, np.newaxis, np.newaxis]
    offset = mean[::-1] - 255 * MEAN
    return weights[:, ::-1], bias + np.einsum("oihw,i->o", weights, offset)


def fill(net: Any, found: LayerArrays, mean: np.ndarray, seed: int, gain: float = 1.0) -> list[str]:
    """Give a net in convolutional form all its parameters. Returns the layers that `found` does not have.

    Of these, the last is zero, and the others are drawn at random: normal, with a variance of 2 / inputs (msra), times
    `gain`. Raises ValueError, before anything is changed, for a layer of another shape.
    """
    first, last = next(iter(net.params)), list(net.params)[-1]
    for layer, values in found.items():
        shapes = [blob.data.shape for blob in net.params[layer]]
        sizes = [math.prod(shape) for shape in shapes]
        if [array.size for array in values] != sizes or values[0].shape[0] != shapes[0][0]:
            found_shapes = " and ".join("×".join(map(str, array.shape)) for array in values)
            raise ValueError(
                f"layer {layer} is {found_shapes}, expected {' and '.join('×'.join(map(str, s)) for s in shapes)}."
                " Name the file of that net."
            )
    rng, missing = np.random.default_rng(seed), []
    for layer, (weights, biases) in net.params.items():
        if layer in found:
            kernel, bias = found[layer]
            kernel = np.asarray(kernel, np.float32).reshape(weights.data.shape)
            weights.data[...], biases.data[...] = fold(kernel, bias, mean) if layer == first else (kernel, bias)
            continue
        missing.append(layer)
        drawn = np.zeros(weights.data.shape, np.float32)
        if layer != last:
            drawn = rng.standard_normal(weights.data.shape, np.float32)
            drawn *= gain * math.sqrt(2 / drawn[0].size)
        weights.data[...], biases.data[...] = drawn, 0
    return missing
