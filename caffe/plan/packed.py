"""Weights that are reordered ("packed") once, into the layout in which oneDNN multiplies them, on a CPU.

torch reorders them in every pass. In bfloat16 that costs most; in float32 it is half the time of a layer with a small
map. The best layout depends on the size of the map: a convolution whose weights were packed for another size may take a
hundred times as long.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F

from caffe.plan import matrix as products
from caffe.plan.capabilities import BFLOAT16, FLOAT32, Capability, Compared, drawn
from caffe.plan.recorder import Call

MAX_WEIGHTS = 2**22
"""float32 weights of a layer; of more, a second copy takes too much memory."""
MAX_PIXELS = 2**16
"""Pixels of a batch; with more, the time to reorder float32 weights hardly counts (benchmarks/ways.py), and what
folding.py and merging.py save does not, either."""

ATTACHED = 7
"""Which argument of oneDNN's convolution names the function of one element that is computed along."""


def pays(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether weights should be packed as kernels to be multiplied with this, if it is for many passes."""
    if not x.is_cpu:
        return False
    images, _, height, width = x.shape
    small = images * height * width <= MAX_PIXELS and weight.numel() <= MAX_WEIGHTS
    worth = x.dtype == torch.bfloat16 or (x.dtype == torch.float32 and small)
    return worth and KERNELS[x.dtype].works


def pays_as_matrix(x: torch.Tensor) -> bool:
    """Whether weights that are a matrix (see matrix.py) should be packed as one: in bfloat16."""
    return x.is_cpu and x.dtype == torch.bfloat16 and MATRIX.works


def kernels(
    weight: torch.Tensor,
    kind: torch.dtype,
    shape: Sequence[int],
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    group: int,
) -> torch.Tensor:
    """(O, C / group, h, w) packed for `convolve`, to convolve maps of this type and shape."""
    settings = map(list, (pad, stride, dilation))
    reorder: Callable[..., torch.Tensor] = torch._C._nn.mkldnn_reorder_conv2d_weight
    return reorder(weight.to(kind).to_mkldnn(), *settings, group, list(shape))


def matrix(weight: torch.Tensor) -> torch.Tensor:
    """(O, C, h, w), float32, packed as a matrix of O rows for `plan.matrix.product`."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.flatten(1).bfloat16())


def convolve(
    x: torch.Tensor,
    packed: torch.Tensor,
    bias: torch.Tensor | None,
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    group: int,
) -> torch.Tensor:
    """(N, C, H, W) convolved with packed kernels of the same type."""
    x = x.contiguous(memory_format=torch.channels_last)
    return torch.ops.mkldnn._convolution_pointwise(
        x, packed, bias, list(pad), list(stride), list(dilation), group, "none", [], ""
    )


def is_bare(call: Call) -> bool:
    """Whether a recorded call is that of torch's function that `convolve` calls, and computes nothing along."""
    works = any(each._works for each in KERNELS.values())
    known = works and call.function is torch.ops.mkldnn._convolution_pointwise.default._op
    return known and call.takes[ATTACHED] == "none"


def _trial_of_kernels(kind: torch.dtype) -> Compared:
    x, bias = drawn(2, 4, 9, 10, kind=kind), drawn(6, kind=kind)
    for pad, stride, dilation, group in [((1, 1), (1, 1), (1, 1), 1), ((2, 0), (1, 2), (2, 1), 2)]:
        weight = drawn(6, 4 // group, 3, 3, kind=kind)
        packed = kernels(weight, kind, x.shape, pad, stride, dilation, group)
        for each in (bias, None):
            found = convolve(x, packed, each, pad, stride, dilation, group)
            added = None if each is None else each.float()
            yield found, F.conv2d(x.float(), weight.float(), added, stride, pad, dilation, group)


def _trial_of_reading_back() -> Compared:
    for group in (1, 2):
        weight = drawn(32, 16 // group, 3, 3)
        shape = (1, 16, 9, 10)
        yield kernels(weight, torch.float32, shape, (1, 1), (1, 1), (1, 1), group).to_dense(), weight


def _trial_of_matrices() -> Compared:
    x, weight, bias = drawn(5, 70, kind=torch.bfloat16), drawn(33, 7, 5, 2), drawn(33, kind=torch.bfloat16)
    for each in (bias, None):
        added = None if each is None else each.float()
        found = products.by_linear_pointwise(x, matrix(weight), each)
        yield found, F.linear(x.float(), weight.flatten(1).bfloat16().float(), added)


KERNELS = {
    torch.float32: Capability("float32 kernels packed for oneDNN", partial(_trial_of_kernels, torch.float32), FLOAT32),
    torch.bfloat16: Capability(
        "bfloat16 kernels packed for oneDNN", partial(_trial_of_kernels, torch.bfloat16), BFLOAT16
    ),
}
READ_BACK = Capability("reading packed float32 kernels back", _trial_of_reading_back)
MATRIX = Capability("bfloat16 matrices packed for oneDNN", _trial_of_matrices, BFLOAT16)
