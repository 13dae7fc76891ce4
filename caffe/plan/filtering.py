"""The transforms of Winograd's minimal filtering, by Cook and Toom's construction.

Along one axis, the receptive field of `tile` outputs is tile + kernel − 1 inputs. Inputs and kernel are coefficients of
polynomials, which are evaluated at as many points, one of them infinity. In this transform domain a convolution is the
product of the values at each point.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch

_HALVES = [Fraction(n, 2) for n in (0, 1, -1, 2, -2, 4, -4)]
_QUARTERS = [Fraction(n, 4) for n in (0, 3, -3, 6, -6)]
_POINTS = {3: _QUARTERS, 5: _HALVES, 6: _HALVES, 7: _HALVES}
"""By the size of the kernels, the points with the least rounding error of all that were tried."""

SIZES = tuple(_POINTS)


@dataclass(frozen=True)
class Filtering:
    """F(tile × tile, kernel × kernel); its matrices work on both axes at once."""

    kernel: int
    tile: int
    seen: int
    kernels: torch.Tensor
    """(seen², kernel²): takes kernels to the transform domain."""
    inputs: torch.Tensor
    """(seen², seen²): takes inputs there."""
    outputs: torch.Tensor
    """(tile², seen²): brings products back."""


@functools.cache
def of(kernel: int) -> Filtering:
    """The transforms for kernels of one of the SIZES."""
    points = _POINTS[kernel]
    seen = len(points) + 1
    tile = seen - kernel + 1
    others = [[q for q in points if q != p] for p in points]
    scales = [math.prod(p - q for q in rest) for p, rest in zip(points, others, strict=True)]

    def powers(count: int) -> list[list[Fraction]]:
        return [[p**k for k in range(count)] for p in points] + [[Fraction(k == count - 1) for k in range(count)]]

    kernels = [[v / s for v in row] for row, s in zip(powers(kernel), [*scales, Fraction(1)], strict=True)]
    inputs = [_with_roots(roots, seen) for roots in [*others, points]]
    outputs = [list(row) for row in zip(*powers(tile), strict=True)]
    return Filtering(kernel, tile, seen, *map(_on_both_axes, (kernels, inputs, outputs)))


def _with_roots(roots: Sequence[Fraction], length: int) -> list[Fraction]:
    """The coefficients, from the constant on, of the product of all (x − root), filled up to a length."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [s - root * c for s, c in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
    return coefficients + [Fraction(0)] * (length - len(coefficients))


def _on_both_axes(matrix: list[list[Fraction]]) -> torch.Tensor:
    one_axis = torch.tensor([[float(v) for v in row] for row in matrix], dtype=torch.float64, device="cpu")
    return torch.kron(one_axis, one_axis).float()
