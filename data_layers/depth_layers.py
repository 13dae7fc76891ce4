"""The loss for depth, as a Python layer of plain pycaffe, which runs in any Caffe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import caffe
from fcn_caffe.data_layers.segdata import params
from fcn_caffe.data_layers.segdata.bottoms import check_one_shape

LAMBDA = 0.5
"""The authors' value: the mean of the loss of logarithms (0) and the scale-invariant loss (1)."""


class ScaleInvariantLossLayer(caffe.Layer):
    """(1/n) Σ dᵢ² − λ ((1/n) Σ dᵢ)², the mean over images; d = ŷ − log y over the n pixels whose depth is known.

    bottom: ŷ, the logarithm of the depth that is predicted, and y, the depth, N×1×H×W, in one unit (metres). Depth that
    is 0 or less, or no number, is void, and has no gradient. top: the loss. param_str: {'lambda': λ}, from 0, the loss
    of logarithms, to 1, which no scale changes; 0.5 by default.
    (Eigen, Puhrsch, Fergus: Depth Map Prediction from a Single Image using a Multi-Scale Deep Network, NIPS 2014,
    equation 4.)
    """

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        who = type(self).__name__
        if len(bottom) != 2 or len(top) != 1:
            raise ValueError(
                f"{who} has {len(bottom)} bottom(s) and {len(top)} top(s), expected two, predictions and depth, and "
                "one."
                " Correct them."
            )
        settings = params.parse(self.param_str or "{}", who, (), ("lambda",))
        share = settings.get("lambda", LAMBDA)
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"{who}: lambda is {share!r}, expected a number from 0 to 1. Correct param_str.")
        self.share = float(share)

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        check_one_shape(type(self).__name__, bottom, "predictions", "depth")
        top[0].reshape(1)

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        predicted, depth = (bottom[index].data.astype(np.float64) for index in (0, 1))
        images = [loss(one, y, self.share) for one, y in zip(predicted, depth)]
        self.gradient = np.stack([gradient for _, gradient in images]) / len(images)
        top[0].data[...] = sum(value for value, _ in images) / len(images)

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff.flat[0] * self.gradient
        if propagate_down[1]:
            bottom[1].diff[...] = 0


def loss(predicted: np.ndarray, depth: np.ndarray, share: float) -> tuple[float, np.ndarray]:
    """Of one image: the loss, and its gradient, in the shape of `predicted`. Without known depth both are zero."""
    known = known_depth(depth)
    count = max(int(known.sum()), 1)
    d = np.where(known, predicted - np.log(np.where(known, depth, 1)), 0)
    mean = d.sum() / count
    gradient = np.where(known, 2 * (d - share * mean) / count, 0)
    return float((d**2).sum() / count - share * mean**2), gradient


def known_depth(depth: np.ndarray) -> np.ndarray:
    """Where there is a depth, a number above 0; of the shape of `depth`."""
    return np.isfinite(depth) & (np.nan_to_num(depth) > 0)
