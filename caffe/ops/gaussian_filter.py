"""Gaussian filters over points in any dimension: their normalizations, and the exact sum.

A filter K maps values (N, channels) at N points to (N, channels). It is used in two steps, `spread(gather(values))`:
whatever mixes the channels can stand between them, where the values may be fewer than the points.
"""

from typing import Protocol

import torch
from torch import Tensor

from caffe.ops.linear_map import apply_linear
from caffe.shapes import shape_text

NORMALIZATIONS = ("none", "after", "symmetric")
_CHUNK = 1 << 24  # elements of the matrix of distances that exist at a time


class GaussianFilter(Protocol):
    """A linear filter in two steps."""

    def gather(self, values: Tensor) -> Tensor:
        """(N, channels) to (M, channels)."""

    def spread(self, values: Tensor) -> Tensor:
        """(M, channels) to (N, channels)."""


def scales(total: Tensor, normalization: str) -> tuple[Tensor | None, Tensor | None]:
    """What values are multiplied by before and after filtering, each (N, 1), or None.

    `total` (N, 1) is the filter of ones, z = K1. "none" is K, "after" K/z (a constant stays the same), "symmetric"
    z^-½ K z^-½ (the filter stays symmetric). Krähenbühl and Koltun's code (2013) and pydensecrf's default are
    symmetric; DeepLab's and CRF as RNN's layers normalize after.
    """
    check_normalization(normalization)
    if normalization == "none":
        return None, None
    if normalization == "after":
        return None, total.reciprocal()
    return total.rsqrt(), total.rsqrt()


def check_normalization(normalization: str) -> None:
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"normalization is {normalization!r}; expected one of {', '.join(NORMALIZATIONS)}")


def check_features(features: Tensor) -> None:
    """Raise ValueError unless `features` are finite floats of shape (points, dimensions), none of them 0."""
    if features.dim() != 2 or 0 in features.shape or not features.is_floating_point():
        raise ValueError(
            f"features are {features.dtype} of shape {shape_text(features.shape)}; expected floats (points, dimensions)"
        )
    if not features.isfinite().all():
        raise ValueError("features are not all finite; divide finite positions and colours by deviations above 0")


def check_values(values: Tensor, rows: int, like: Tensor) -> None:
    """Raise ValueError unless `values` are (rows, channels) with the type and device of `like`."""
    if values.dim() != 2 or values.shape[0] != rows:
        raise ValueError(f"values have the shape {tuple(values.shape)}; expected ({rows}, channels)")
    if values.dtype != like.dtype or values.device != like.device:
        raise ValueError(
            f"values are {values.dtype} on {values.device}; expected {like.dtype} on {like.device} as the features"
        )


class ExactSum:
    """Σ_j exp(-|f_i - f_j|²/2) v_j over all points, i itself included: in N² time, for small images and as a measure.

    `features` (N, d) are positions and colours, already divided by their standard deviations.
    """

    def __init__(self, features: Tensor, normalization: str = "none") -> None:
        check_features(features)
        self._features = features.detach()
        self._before, self._after = scales(self._sum(torch.ones_like(features[:, :1])), normalization)

    def gather(self, values: Tensor) -> Tensor:
        """The values themselves, (N, channels): the sum is not taken in two parts."""
        check_values(values, len(self._features), self._features)
        return values if self._before is None else values * self._before

    def spread(self, values: Tensor) -> Tensor:
        """(N, channels) to (N, channels): the sums."""
        check_values(values, len(self._features), self._features)
        sums = apply_linear(values, self._sum, self._sum)
        return sums if self._after is None else sums * self._after

    def filter(self, values: Tensor) -> Tensor:
        """K·values, (N, channels)."""
        return self.spread(self.gather(values))

    def _sum(self, values: Tensor) -> Tensor:
        rows = max(1, _CHUNK // len(self._features))
        return torch.cat([self._weights(part) @ values for part in self._features.split(rows)])

    def _weights(self, part: Tensor) -> Tensor:
        # Differences, not |a|² - 2ab + |b|², whose rounding would reach the weights of close points.
        distances = torch.cdist(part, self._features, compute_mode="donot_use_mm_for_euclid_dist")
        return distances.square_().mul_(-0.5).exp_()
