"""Weights laid out once as oneDNN multiplies them, for bfloat16 on a CPU, where laying them out anew costs most."""

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


def pays(x: torch.Tensor) -> bool:
    """Whether weights should be packed to be multiplied with this."""
    return _HERE and not plan.PLAIN and x.is_cpu and x.dtype == torch.bfloat16


def kernels(
    weight: torch.Tensor, pad: Sequence[int], stride: Sequence[int], dilation: Sequence[int], group: int
) -> torch.Tensor:
    """(O, C / group, h, w), float32, packed for `convolve`."""
    return _nn.mkldnn_reorder_conv2d_weight(
        weight.bfloat16().to_mkldnn(), list(pad), list(stride), list(dilation), group
    )


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
    """(N, C, H, W), bfloat16, convolved with packed kernels."""
    x = x.contiguous(memory_format=torch.channels_last)
    return _onednn._convolution_pointwise(
        x, packed, bias, list(pad), list(stride), list(dilation), group, "none", [], ""
    )
