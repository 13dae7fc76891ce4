"""A 3 × 3 convolution with a quarter of the multiplications: Winograd's minimal filtering, F(4 × 4, 3 × 3).

The map is cut into tiles of 4 × 4 outputs, which see 6 × 6 inputs. Of a tile and of a kernel, polynomials are evaluated
at six points along each axis; there a convolution is a product, number by number, so that all tiles, channels and
filters together are 36 products of matrices (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016).
The points 0, ±3/4, ±3/2 and ∞ lose less to rounding than the usual 0, ±1, ±2 and ∞: about 2.5e-6 of the largest output.
"""

import functools
import math
from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F

from caffe.plan import gradients
from caffe.plan.gradients import Pad
from caffe.plan.matrix import by_onednn, product

TILE, KERNEL, SEEN = 4, 3, 6
POINTS = (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2))
FEWEST_CHANNELS, FEWEST_TILES = 256, 16


def pays(x: torch.Tensor, weight: torch.Tensor, stride: Sequence[int], dilation: Sequence[int]) -> bool:
    """Whether this is the faster way: wide layers on a CPU, in float32."""
    return (
        by_onednn(x)
        and tuple(weight.shape[2:]) == (KERNEL, KERNEL)
        and set(stride) == set(dilation) == {1}
        and min(weight.shape[:2]) >= FEWEST_CHANNELS
        and x.shape[2] * x.shape[3] >= FEWEST_TILES * TILE * TILE
    )


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, pad: Sequence[int]) -> torch.Tensor:
    """(N, C, H, W) convolved with (O, C, 3, 3), as F.conv2d, which also computes it; only its gradients come this way.

    Rounding would break ties: where a border makes a map constant, max pooling and its gradient take the first pixel.
    """
    return gradients.convolve(x, weight, bias, pad, _bottom_gradient, _weight_gradient)


def correlate(x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, pad: Sequence[int]) -> torch.Tensor:
    """`convolve` without a gradient, with the weights given `at_points`."""
    height, width = (n + 2 * p - KERNEL + 1 for n, p in zip(x.shape[2:], pad, strict=True))
    inputs = _inputs_at_points(x, pad, height, width)
    outputs = torch.stack([product(v, u) for v, u in zip(inputs, kernels, strict=True)])
    tiles = _matrix("outputs") @ outputs.flatten(1)
    rows, columns, channels = -(-height // TILE), -(-width // TILE), kernels.shape[1]
    tiles = tiles.view(TILE, TILE, len(x), rows, columns, channels).permute(2, 3, 0, 4, 1, 5)
    y = tiles.reshape(len(x), rows * TILE, columns * TILE, channels)[:, :height, :width]
    y = y.contiguous() if bias is None else y + bias
    return y.permute(0, 3, 1, 2)


def at_points(weight: torch.Tensor) -> torch.Tensor:
    """The kernels (O, C, 3, 3) as the products need them, (36, O, C)."""
    return (_matrix("kernels") @ weight.permute(2, 3, 0, 1).reshape(KERNEL * KERNEL, -1)).view(-1, *weight.shape[:2])


def _bottom_gradient(grad: torch.Tensor, weight: torch.Tensor, x: torch.Tensor, pad: Pad) -> torch.Tensor:
    turned = weight.transpose(0, 1).flip(2, 3)
    return correlate(grad, at_points(turned), None, tuple(KERNEL - 1 - p for p in pad))


def _weight_gradient(grad: torch.Tensor, weight: torch.Tensor, x: torch.Tensor, pad: Pad) -> torch.Tensor:
    """The adjoint of `correlate` with respect to the weights."""
    height, width = grad.shape[2:]
    tiles = _tiles(F.pad(grad.permute(0, 2, 3, 1), (0, 0, 0, -width % TILE, 0, -height % TILE)), TILE)
    grads = (_matrix("outputs").t() @ tiles).view(SEEN * SEEN, -1, grad.shape[1])
    inputs = _inputs_at_points(x, pad, height, width)
    kernels = torch.stack([product(g.t(), v.t()) for g, v in zip(grads, inputs, strict=True)])
    weights = _matrix("kernels").t() @ kernels.flatten(1)
    return weights.view(KERNEL, KERNEL, grad.shape[1], x.shape[1]).permute(2, 3, 0, 1).contiguous()


def _inputs_at_points(x: torch.Tensor, pad: Sequence[int], height: int, width: int) -> torch.Tensor:
    """(36, tiles, C)."""
    margins = []
    for size, p, out in ((x.shape[3], pad[1], width), (x.shape[2], pad[0], height)):
        margins += [p, -(-out // TILE) * TILE + KERNEL - 1 - p - size]
    tiles = _tiles(F.pad(x.permute(0, 2, 3, 1), (0, 0, *margins)), SEEN)
    return (_matrix("inputs") @ tiles).view(SEEN * SEEN, -1, x.shape[1])


def _tiles(x: torch.Tensor, size: int) -> torch.Tensor:
    """(N, H, W, C) → (size², tiles · C): squares, a tile's step apart."""
    tiles = x.unfold(1, size, TILE).unfold(2, size, TILE)
    return tiles.permute(4, 5, 0, 1, 2, 3).reshape(size * size, -1)


@functools.cache
def _matrix(of: str) -> torch.Tensor:
    """What takes kernels or inputs to the points, or comes back from there to outputs, for both axes at once."""
    one_axis = torch.tensor(_one_axis()[of], dtype=torch.float64)
    return torch.kron(one_axis, one_axis).float()


def _one_axis() -> dict[str, list[list[float]]]:
    """Cook and Toom's construction: polynomials through the points, the last of which is infinity."""
    others = [[q for q in POINTS if q != p] for p in POINTS]
    scales = [math.prod(p - q for q in rest) for p, rest in zip(POINTS, others, strict=True)]

    def powers(count: int) -> list[list[Fraction]]:
        return [[p**k for k in range(count)] for p in POINTS] + [[Fraction(k == count - 1) for k in range(count)]]

    kernels = [[v / s for v in row] for row, s in zip(powers(KERNEL), [*scales, Fraction(1)], strict=True)]
    inputs = [_with_roots(roots) for roots in [*others, list(POINTS)]]
    outputs = [list(row) for row in zip(*powers(TILE), strict=True)]
    exact = {"kernels": kernels, "inputs": inputs, "outputs": outputs}
    return {name: [[float(v) for v in row] for row in rows] for name, rows in exact.items()}


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients, from the constant on, of the product of all (x − root), filled up to a tile's length."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [s - root * c for s, c in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
    return coefficients + [Fraction(0)] * (SEEN - len(coefficients))
