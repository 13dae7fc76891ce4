"""The gradients of a convolution of large maps, a strip of rows at a time.

oneDNN reorders what it reads and what it writes, which makes four copies of the largest maps of a net. Those of a strip
are small, and take no more time.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

from caffe.plan import own_gradients, pool, rows
from caffe.plan.capabilities import Capability, Compared, drawn
from caffe.plan.matrix import by_onednn
from caffe.plan.own_gradients import Pad

ROWS = 32
"""Rows of a strip."""
MIN_VALUES = 2**22
"""Values of a map; of smaller ones, the copies take little memory (benchmarks/ways.py)."""


def pays(x: torch.Tensor, stride: Sequence[int], dilation: Sequence[int]) -> bool:
    """Whether the copies of this map would be large."""
    fits = set(stride) == set(dilation) == {1} and x.numel() >= MIN_VALUES
    return fits and by_onednn(x) and CAPABILITY.works


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, pad: Pad) -> torch.Tensor:
    """(N, C, H, W) convolved with (O, C, h, w) by F.conv2d; only the gradients are computed in strips."""
    return own_gradients.convolve(x, weight, bias, pad, _bottom_gradient, _weight_gradient)


def _bottom_gradient(grad: torch.Tensor, weight: torch.Tensor, x: torch.Tensor, pad: Pad) -> torch.Tensor:
    """A row of the bottom gets something from those rows of the top that saw it."""
    tall = weight.shape[2]
    to_x = pool.empty_like(x, *x.shape)
    for first, last in rows.bands(x.shape[2], ROWS):
        seen = _rows(grad, first + pad[0] - tall + 1, last + pad[0])
        to_x[:, :, first:last] = F.conv_transpose2d(seen, weight, padding=(tall - 1, pad[1]))
    return to_x


def _weight_gradient(grad: torch.Tensor, weight: torch.Tensor, x: torch.Tensor, pad: Pad) -> torch.Tensor:
    to_weight = torch.zeros_like(weight)
    for first, last in rows.bands(grad.shape[2], ROWS):
        seen = _rows(x, first - pad[0], last - pad[0] + weight.shape[2] - 1)
        to_weight += conv2d_weight(seen, weight.shape, grad[:, :, first:last], padding=(0, pad[1]))
    return to_weight


def _rows(x: torch.Tensor, first: int, last: int) -> torch.Tensor:
    """Rows first … last − 1 of a map; beyond its ends they are zeros."""
    found, above, below = rows.inside(x, first, last)
    return F.pad(found, (0, 0, above, below))


def _trial() -> Compared:
    x, weight, pad = drawn(1, 2, ROWS + 7, 6), drawn(3, 2, 4, 3), (2, 1)
    grad = drawn(*F.conv2d(x, weight, padding=pad).shape)
    yield _bottom_gradient(grad, weight, x, pad), conv2d_input(x.shape, weight, grad, padding=pad)
    yield _weight_gradient(grad, weight, x, pad), conv2d_weight(x, weight.shape, grad, padding=pad)


CAPABILITY = Capability("the gradients of convolutions a strip of rows at a time", _trial)
