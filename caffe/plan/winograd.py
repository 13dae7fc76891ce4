"""Winograd's minimal filtering: a convolution with a quarter or a third of the multiplications.

The output is cut into tiles: 4 × 4 for 3 × 3 kernels, of which a tile's receptive field is 6 × 6 inputs, or 2 × 2 for
7 × 7 kernels (fc6 made convolutional), of which it is 8 × 8. Kernels and inputs are taken to the transform domain
(filtering.py), where all tiles, channels and filters together are one product of matrices for each point, and the
results are brought back (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016).

Why it is our own: on a CPU torch convolves directly. In the transform domain, for which it has no function, the 7 × 7
kernels of fc6 take a third of the multiplications.

The rounding error with 512 channels is below 5e-6 of the largest output for 3 × 3 kernels and below 8e-6 for 7 × 7;
most of it comes of the long sums over channels. What the way gains on a machine, benchmarks/ways.py measures.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch.nn.grad import conv2d_weight

from caffe.device import mappings
from caffe.plan import filtering, own_gradients, pool, rows
from caffe.plan.capabilities import Capability, Compared, drawn
from caffe.plan.filtering import Filtering
from caffe.plan.matrix import Geometry, by_onednn, positions, product
from caffe.plan.own_gradients import Pad

MIN_BREADTH = 85
"""Channels; below it F.conv2d is faster. The breadth of a layer with C channels and O filters is C · O / (C + O): the
products save time in proportion to C · O, the transforms cost time in proportion to C + O."""
BREAK_EVEN = {3: 82, 5: 0, 6: 0, 7: 0}
"""Channels, by the size of the kernels: the breadth at which the products save what the transforms cost."""
MIN_TILES = {3: 4800, 5: 5500, 6: 7000, 7: 12000}
"""Tiles × channels of breadth above BREAK_EVEN, by the size of the kernels; below it F.conv2d is faster."""
KERNEL_TRANSFORM = {3: 35, 5: 80, 6: 130, 7: 250}
"""Tiles, by the size of the kernels, that take as long as to transform the kernels, where these serve for one pass."""
SUMMED = {6: 512, 8: 128}
"""Channels that one product sums over, by the size of a tile's receptive field: of larger ones, more is rounded."""
VALUES_AT_ONCE = 2**17
"""Tiles × channels that are computed together, at least one row of tiles; more take more memory, and no less time."""
OUTPUTS_AT_ONCE = 2**23
"""Points × filters × tiles that are multiplied together, at least LEAST_FILTERS: what is brought back while it is still
in the cache."""
LEAST_FILTERS = 64
FILTERS_AT_ONCE = 32
"""Filters that are transformed together: as many as the cache holds."""


def fits(weight: torch.Tensor, geometry: Geometry) -> bool:
    """Whether this is faster than F.conv2d for some maps: wide layers, with kernels of such a size, at every pixel."""
    (size, width), dilation, _, stride = geometry
    return (
        size == width and size in filtering.SIZES and stride == dilation == (1, 1) and _breadth(weight) >= MIN_BREADTH
    )


def pays(x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, *, kept: bool) -> bool:
    """Whether this is faster than F.conv2d: for large maps on a CPU, in float32.

    kept: the transformed kernels serve for many passes.
    """
    if not (fits(weight, geometry) and by_onednn(x)):
        return False
    size, breadth = weight.shape[2], _breadth(weight)
    way = filtering.of(size)
    tiles = len(x) * math.prod(-(-n // way.tile) for n in positions(x, geometry))
    enough = (tiles - (0 if kept else KERNEL_TRANSFORM[size])) * (breadth - BREAK_EVEN[size]) >= MIN_TILES[size]
    return enough and CAPABILITY.works


def _breadth(weight: torch.Tensor) -> float:
    filters, channels, _, _ = weight.shape
    return filters * channels / (filters + channels)


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, pad: Pad) -> torch.Tensor:
    """(N, C, H, W) convolved with (O, C, k, k) by F.conv2d; only the gradients are computed by minimal filtering.

    Where a constant border makes pixels equal, max pooling sends its gradient to the first of them; the rounding of
    minimal filtering would make another one the largest.
    """
    return own_gradients.convolve(x, weight, bias, pad, _bottom_gradient, _weight_gradient)


def correlate(x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, pad: Pad, size: int) -> torch.Tensor:
    """(N, C, H, W) convolved with `transformed` kernels of `size` × `size`; without a gradient."""
    way = filtering.of(size)
    filters = kernels.shape[2]
    height, width = positions(x, ((size, size), (1, 1), tuple(pad), (1, 1)))
    y = pool.empty_like(x, len(x), filters, height, width)
    for first, last, inputs in _transformed_bands(x, pad, height, width, way):
        pieces = inputs.unflatten(2, (len(kernels), -1)).permute(2, 0, 1, 3).contiguous()
        at_once = max(LEAST_FILTERS, OUTPUTS_AT_ONCE // pieces[0, :, :, 0].numel())
        for begin, end in rows.bands(filters, at_once):
            outputs = _multiply(kernels[:, :, begin:end], pieces)
            tiles = product(way.outputs, outputs.flatten(1).t())
            tiles = tiles.view(way.tile, way.tile, end - begin, len(x), -1, -(-width // way.tile))
            tiles = tiles.permute(3, 2, 4, 0, 5, 1).flatten(4, 5).flatten(2, 3)[:, :, : last - first, :width]
            torch.add(tiles, 0 if bias is None else bias[begin:end, None, None], out=y[:, begin:end, first:last])
    return y


def transformed(weight: torch.Tensor, *, lasting: bool = True) -> torch.Tensor:
    """Kernels (O, C, k, k) in the transform domain, as the products need them: (pieces, points, O, C / pieces)."""
    filters, channels, size, _ = weight.shape
    way = filtering.of(size)
    least = max(1, channels // SUMMED[way.seen])
    pieces = next(count for count in range(least, 0, -1) if channels % count == 0)
    shape = (pieces, len(way.kernels), filters, channels // pieces)
    kernels = mappings.lasting(*shape) if lasting else weight.new_empty(shape)
    for first, last in rows.bands(filters, FILTERS_AT_ONCE):
        values = product(way.kernels, weight[first:last].reshape(-1, size * size))
        kernels[:, :, first:last] = values.view(len(way.kernels), last - first, pieces, -1).permute(2, 0, 1, 3)
    return kernels


def _multiply(kernels: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """(pieces, points, O, C / pieces) and (pieces, points, tiles, C / pieces) → (points, O, tiles)."""
    pieces, points, filters, _ = kernels.shape
    outputs = inputs.new_empty(points, filters, inputs.shape[2])
    for point, sums in enumerate(outputs):
        sums.copy_(product(kernels[0, point], inputs[0, point]))
        for piece in range(1, pieces):
            sums += product(kernels[piece, point], inputs[piece, point])
    return outputs


def _bottom_gradient(grad: torch.Tensor, weight: torch.Tensor, x: torch.Tensor, pad: Pad) -> torch.Tensor:
    turned, size = weight.transpose(0, 1).flip(2, 3), weight.shape[2]
    return correlate(grad, transformed(turned, lasting=False), None, tuple(size - 1 - p for p in pad), size)


def _weight_gradient(grad: torch.Tensor, weight: torch.Tensor, x: torch.Tensor, pad: Pad) -> torch.Tensor:
    """The adjoint of `correlate` with respect to the weights."""
    filters, channels, size, _ = weight.shape
    way = filtering.of(size)
    height, width = grad.shape[2:]
    kernels = weight.new_zeros(len(way.kernels), filters, channels)
    for first, last, inputs in _transformed_bands(x, pad, height, width, way):
        seen = F.pad(grad[:, :, first:last], (0, -width % way.tile, 0, (first - last) % way.tile))
        tiles = seen.unflatten(3, (-1, way.tile)).unflatten(2, (-1, way.tile)).permute(3, 5, 1, 0, 2, 4)
        grads = product(way.outputs.t(), tiles.reshape(way.tile**2, -1).t()).view(len(kernels), filters, -1)
        for sums, g, v in zip(kernels, grads, inputs, strict=True):
            sums += product(g, v.t())
    weights = product(way.kernels.t(), kernels.flatten(1).t())
    return weights.view(size, size, filters, channels).permute(2, 3, 0, 1).contiguous()


def _transformed_bands(
    x: torch.Tensor, pad: Pad, height: int, width: int, way: Filtering
) -> Iterator[tuple[int, int, torch.Tensor]]:
    """For bands of rows first … last − 1 of the top: first, last, and the transformed inputs, (points, tiles, C)."""
    columns = -(-width // way.tile)
    left, right = pad[1], columns * way.tile + way.kernel - 1 - pad[1] - x.shape[3]
    for first, last in rows.bands(height, max(1, VALUES_AT_ONCE // (x.shape[1] * len(x) * columns)) * way.tile):
        end = first - (first - last) // way.tile * way.tile
        found, above, below = rows.inside(x, first - pad[0], end - pad[0] + way.kernel - 1)
        padded = F.pad(found.permute(0, 2, 3, 1), (0, 0, left, right, above, below))
        tiles = padded.unfold(1, way.seen, way.tile).unfold(2, way.seen, way.tile).permute(4, 5, 0, 1, 2, 3)
        yield first, last, product(way.inputs, tiles.reshape(way.seen**2, -1).t()).view(len(way.inputs), -1, x.shape[1])


def _trial() -> Compared:
    pad = (1, 2)
    for size in (min(filtering.SIZES), max(filtering.SIZES)):
        x, weight, bias = drawn(1, 5, 12, 9), drawn(4, 5, size, size), drawn(4)
        top = F.conv2d(x, weight, bias, padding=pad)
        yield correlate(x, transformed(weight, lasting=False), bias, pad, size), top
        yield _weight_gradient(top, weight, x, pad), conv2d_weight(x, weight.shape, top, padding=pad)


CAPABILITY = Capability("Winograd's convolutions", _trial, tolerance=1e-4)
