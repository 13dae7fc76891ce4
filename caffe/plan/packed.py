"""Weights laid out once as oneDNN multiplies them, on a CPU.

torch has them laid out anew for every pass. In bfloat16 that costs most; in float32 it is half the time of a layer with
a small map. How oneDNN wants them depends on the size of the map: those that were packed for another may take a hundred
times as long.
"""

from collections.abc import Sequence
from typing import Any

import torch

from caffe import plan

_nn: Any = torch._C._nn
_onednn: Any = torch.ops.mkldnn
_HERE = (
    torch.backends.mkldnn.is_available()
    and hasattr(_nn, "mkldnn_reorder_conv2d_weight")
    and hasattr(_onednn, "_reorder_linear_weight")
    and hasattr(_onednn, "_convolution_pointwise")
)

MOST_TWICE = 2**22
"""So many float32 weights are kept a second time."""
MOST_PIXELS = 2**13
"""Of larger maps, the products take so long that the layout of float32 weights hardly counts."""


def pays(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether weights should be packed to be multiplied with this, if it is for many passes."""
    small = x[:, 0].numel() <= MOST_PIXELS and weight.numel() <= MOST_TWICE
    worth = x.dtype == torch.bfloat16 or (x.dtype == torch.float32 and small)
    return _HERE and not plan.PLAIN and x.is_cpu and worth


def kernels(
    weight: torch.Tensor,
    kind: torch.dtype,
    shape: Sequence[int],
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    group: int,
) -> torch.Tensor:
    """(O, C / group, h, w) packed for `convolve`, to be multiplied with maps of a type and shape."""
    settings = map(list, (pad, stride, dilation))
    return _nn.mkldnn_reorder_conv2d_weight(weight.to(kind).to_mkldnn(), *settings, group, list(shape))


def matrix(weight: torch.Tensor) -> torch.Tensor:
    """(O, C, h, w), float32, packed as a matrix of O rows for `plan.matrix.product`."""
    return _onednn._reorder_linear_weight(weight.flatten(1).bfloat16())


def convolve(
    x: torch.Tensor,
    packed: torch.Tensor,
    bias: torch.Tensor | None,
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    group: int,
) -> torch.Tensor:
    """(N, C, H, W) convolved with packed kernels of its type."""
    x = x.contiguous(memory_format=torch.channels_last)
    return _onednn._convolution_pointwise(
        x, packed, bias, list(pad), list(stride), list(dilation), group, "none", [], ""
    )
