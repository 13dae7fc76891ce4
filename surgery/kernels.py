"""Bilinear kernels for deconvolutions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fcn_caffe.surgery.copy_report import dims


def upsample_filt(size: int) -> np.ndarray:
    """The size×size kernel with which a deconvolution interpolates bilinearly; its values sum to the factor squared.

    The factor, the deconvolution's stride, is half the size, rounded up: size 2·factor − factor % 2.
    """
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 else factor - 0.5
    ramp = 1 - np.abs(np.arange(size) - center) / factor
    return np.outer(ramp, ramp)


def interp(net: Any, layers: Iterable[str]) -> None:
    """Fill the weights of deconvolution layers with bilinear kernels, each channel from itself alone.

    Weights are inputs × outputs × k × k, with as many outputs as inputs, or one output per group. Everything off the
    diagonal becomes zero. Raises ValueError, naming the layer, for other shapes and for layers the net does not have.
    """
    for layer in layers:
        if layer not in net.params:
            raise ValueError(
                f"interp: there is no layer '{layer}' with parameters; there are {', '.join(net.params)}. "
                "Name one of them."
            )
        weights = net.params[layer][0].data
        if weights.ndim != 4 or weights.shape[2] != weights.shape[3]:
            raise ValueError(
                f"interp: layer '{layer}': filters need to be square, and the weights are {dims(weights.shape)}. "
                "Give it one kernel_size."
            )
        inputs, outputs, size, _ = weights.shape
        if outputs not in (inputs, 1):
            raise ValueError(
                f"interp: layer '{layer}': input + output channels need to be the same or |output| == 1, and the "
                f"weights are {dims(weights.shape)}. Give it as many outputs as inputs."
            )
        kernels = np.zeros(weights.shape, weights.dtype)
        kernels[range(inputs), range(inputs) if outputs > 1 else 0] = upsample_filt(size)
        weights[...] = kernels
