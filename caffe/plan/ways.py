"""The ways to convolve images: one ordered table, of which the first that pays is taken.

`CAFFE_PLAN=plain` leaves the last row of it. What this machine and this torch cannot do never pays (capabilities.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from caffe import plan
from caffe.plan import matrix, packed, pointwise, strips, winograd
from caffe.plan.matrix import Sizes, Windows
from caffe.plan.parameter import Parameter

LARGE_MAP = 2**16
"""Values; below it, laying them out takes longer than the convolution."""


@dataclass(frozen=True)
class Convolution:
    """(N, C, H, W) convolved with weights (O, C / group, h, w), and perhaps a bias (O) of x's type."""

    x: torch.Tensor
    weights: Parameter
    bias: torch.Tensor | None
    stride: Sizes
    pad: Sizes
    dilation: Sizes
    group: int
    recorded: bool = field(default_factory=torch.is_grad_enabled)
    """Whether autograd will ask for gradients."""

    @property
    def weight(self) -> torch.Tensor:
        return self.weights.values

    @property
    def windows(self) -> Windows:
        return tuple(self.weight.shape[2:]), self.dilation, self.pad, self.stride

    @property
    def layout(self) -> tuple[object, ...]:
        """What the layout of packed weights depends on."""
        return self.x.dtype, tuple(self.x.shape), self.pad, self.stride, self.dilation, self.group


@dataclass(frozen=True)
class Row:
    """A way: whether it is faster than those below it, and how to go; `run` prepares the weights by `made_of`."""

    name: str
    pays: Callable[[Convolution], bool]
    run: Callable[[Convolution], torch.Tensor]


def convolve(
    x: torch.Tensor,
    weights: Parameter,
    bias: torch.Tensor | None,
    stride: Sizes,
    pad: Sizes,
    dilation: Sizes,
    group: int,
) -> torch.Tensor:
    """(N, C, H, W) convolved with weights (O, C / group, h, w), and perhaps a bias (O) of x's type."""
    kernel = weights.values.shape[2:]
    dilation = tuple(d if k > 1 else 1 for k, d in zip(kernel, dilation, strict=True))  # else oneDNN may crash
    wanted = Convolution(x, weights, bias, stride, pad, dilation, group)
    rows = ROWS[-1:] if plan.PLAIN else ROWS
    return next(row for row in rows if row.pays(wanted)).run(wanted)


def _winograd_pays(c: Convolution) -> bool:
    kept = c.weights.keeps(winograd.at_points)
    return c.group == 1 and winograd.pays(c.x, c.weight, c.windows, kept=kept)


def _matrix_pays(c: Convolution) -> bool:
    return c.group == 1 and matrix.pays(c.x, c.weight, c.windows)


def _by_winograd(c: Convolution) -> torch.Tensor:
    return winograd.correlate(c.x, c.weights.made_of(winograd.at_points), c.bias, c.pad, c.weight.shape[2])


def _by_packed_matrix(c: Convolution) -> torch.Tensor:
    return matrix.correlate(c.x, c.weights.made_of(packed.matrix), c.bias, c.windows)


def _by_packed_kernels(c: Convolution) -> torch.Tensor:
    kernels = c.weights.made_of(packed.kernels, *c.layout)
    return packed.convolve(c.x, kernels, c.bias, c.pad, c.stride, c.dilation, c.group)


def _by_points(c: Convolution) -> torch.Tensor:
    # not where it learns: what a training comes to may not depend on where it was interrupted
    recurs = not c.recorded and c.weights.recurs(pointwise.convolve, tuple(c.x.shape))
    return pointwise.convolve(c.x, c.weight, c.bias, recurs)


def _by_tensor_cores_pays(c: Convolution) -> bool:
    """Whether cuDNN multiplies on units that want the channels of a pixel side by side, and else lays them out so."""
    return not c.x.is_cpu and (c.x.dtype == torch.bfloat16 or torch.backends.cudnn.allow_tf32)


def _side_by_side_pays(c: Convolution) -> bool:
    """Whether a map is so large beside the kernels that oneDNN, too, is faster with channels side by side."""
    return not c.recorded and c.x.is_cpu and c.x.numel() >= max(LARGE_MAP, c.weight.numel())


def _by_tensor_cores(c: Convolution) -> torch.Tensor:
    return _by_torch(c, _side_by_side(c.x, c.x.dtype), c.weights.made_of(_side_by_side, c.x.dtype))


def _by_torch(c: Convolution, x: torch.Tensor | None = None, weight: torch.Tensor | None = None) -> torch.Tensor:
    """torch's own function; x and weight: perhaps laid out another way."""
    x, weight = c.x if x is None else x, _same_type(c) if weight is None else weight
    return F.conv2d(x, weight, c.bias, c.stride, c.pad, c.dilation, c.group)


def _same_type(c: Convolution) -> torch.Tensor:
    return c.weights.made_of(torch.Tensor.to, c.x.dtype)


def _side_by_side(values: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return values.to(kind, memory_format=torch.channels_last)


ROWS = (
    Row("Winograd", lambda c: not c.recorded and _winograd_pays(c), _by_winograd),
    Row(
        "packed matrix",
        lambda c: not c.recorded and _matrix_pays(c) and packed.pays_as_matrix(c.x),
        _by_packed_matrix,
    ),
    Row(
        "packed kernels",
        lambda c: not c.recorded and packed.pays(c.x, c.weight) and c.weights.keeps(packed.kernels, *c.layout),
        _by_packed_kernels,
    ),
    Row("1 × 1 kernels as a matrix", lambda c: c.group == 1 and pointwise.pays(c.x, c.windows), _by_points),
    Row("matrix", _matrix_pays, lambda c: matrix.convolve(c.x, c.weight, c.bias, c.windows, c.weights.room)),
    Row(
        "gradients by Winograd",
        lambda c: c.recorded and _winograd_pays(c),
        lambda c: winograd.convolve(c.x, _same_type(c), c.bias, c.pad),
    ),
    Row(
        "gradients in strips",
        lambda c: c.recorded and c.group == 1 and strips.pays(c.x, c.stride, c.dilation),
        lambda c: strips.convolve(c.x, _same_type(c), c.bias, c.pad),
    ),
    Row("tensor cores", _by_tensor_cores_pays, _by_tensor_cores),
    Row("channels side by side", _side_by_side_pays, lambda c: _by_torch(c, _side_by_side(c.x, c.x.dtype))),
    Row("torch", lambda c: True, _by_torch),
)
"""All ways, in the order in which they are asked."""
