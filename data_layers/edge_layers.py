"""Edges computed from the labels of any segmentation data layer, and the loss for them.

Python layers of plain pycaffe, which run in any Caffe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import caffe
from fcn_caffe.data_layers.segdata.bottoms import check_one_shape
from fcn_caffe.data_layers.segdata.labels import VOID


class EdgesLayer(caffe.Layer):
    """1 where a pixel's right or lower neighbour has another class, 0 elsewhere; void stays void.

    bottom: labels, N×1×H×W, 255 void. top: edges, the same shape. No edge lies between a class and void.
    """

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        _check(type(self).__name__, bottom, top, 1)

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        top[0].data[...] = edges(bottom[0].data)

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        pass


class BalancedSigmoidLossLayer(caffe.Layer):
    """Class-balanced cross-entropy: β Σ_edges −log σ(y) + (1 − β) Σ_others −log(1 − σ(y)), the mean over images.

    β is the share of the other pixels in an image: both kinds weigh as much. Void pixels have neither loss nor
    gradient. bottom: scores and edges, N×1×H×W. top: the loss. (Xie and Tu, ICCV 2015, equation 2.)
    """

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        _check(type(self).__name__, bottom, top, 2)

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        check_one_shape(type(self).__name__, bottom, "scores", "edges")
        top[0].reshape(1)

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        y, truth = (bottom[index].data.astype(np.float64) for index in (0, 1))
        weights = balance(truth)
        losses = np.logaddexp(0, np.where(truth == 1, -y, y))
        self.gradient = weights * (0.5 * (1 + np.tanh(y / 2)) - truth) / len(y)
        top[0].data[...] = (weights * losses).sum() / len(y)

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff.flat[0] * self.gradient
        if propagate_down[1]:
            bottom[1].diff[...] = 0


def edges(labels: np.ndarray) -> np.ndarray:
    """0, 1 and void of labels, …×H×W."""
    found = np.zeros(labels.shape, np.uint8)
    for axis in (-1, -2):
        before, after = (np.take(labels, range(*ends), axis) for ends in _ends(labels.shape[axis]))
        change = (before != after) & (before != VOID) & (after != VOID)
        view = np.moveaxis(found, axis, -1)
        view[..., : labels.shape[axis] - 1] |= np.moveaxis(change, axis, -1)
    found[labels == VOID] = VOID
    return found


def _ends(size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, size - 1), (1, size)


def balance(truth: np.ndarray) -> np.ndarray:
    """The weight of each pixel, N×…: β of edges, 1 − β of others, 0 of void."""
    axes = tuple(range(1, truth.ndim))
    positive, negative = ((truth == value).sum(axes, keepdims=True) for value in (1, 0))
    beta = negative / np.maximum(positive + negative, 1)
    return np.where(truth == 1, beta, np.where(truth == 0, 1 - beta, 0))


def _check(who: str, bottom: Sequence[Any], top: Sequence[Any], bottoms: int) -> None:
    if len(bottom) != bottoms or len(top) != 1:
        raise ValueError(
            f"{who} has {len(bottom)} bottom(s) and {len(top)} top(s), expected {bottoms} and 1. Correct them."
        )
