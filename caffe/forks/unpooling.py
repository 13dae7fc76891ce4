"""Segmentation: DeconvNet's and ParseNet's unpooling, and DeepLab's Padding."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image
from caffe.proto import caffe_pb2

Pair = tuple[int, int]
_METHODS = caffe_pb2.UnpoolingParameter.UnpoolMethod
MAX, AVE, TILE, FIXED, DIV, REP = (_METHODS.Value(name) for name in ("MAX", "AVE", "TILE", "FIXED", "DIV", "REP"))


class _Unpools(TorchLayer):
    settings = "unpooling_param"
    tops = 1
    constant = (1,)

    def pair(self, name: str, default: int) -> Pair:
        """Height and width of a setting, given once or for both."""
        param: Any = self.message
        word = name.removesuffix("_size")
        both = (param.HasField(f"{word}_h"), param.HasField(f"{word}_w"))
        if any(both):
            if param.HasField(name) or not all(both):
                raise NetError(f"{self}: {name} is {name} OR {word}_h and {word}_w, not both. Correct them.")
            return getattr(param, f"{word}_h"), getattr(param, f"{word}_w")
        value = getattr(param, name) if param.HasField(name) else default
        return value, value

    def read(self, methods: tuple[int, ...]) -> None:
        self.method = self.message.unpool
        self.kernel, self.stride, self.pad = (
            self.pair(name, default) for name, default in (("kernel_size", 0), ("stride", 1), ("pad", 0))
        )
        if self.method not in methods or min(*self.kernel, *self.stride) < 1:
            known = ", ".join(_METHODS.Name(method) for method in methods)
            raise NetError(
                f"{self}: unpool is {_METHODS.Name(self.method)}, the kernel {self.kernel}, the stride {self.stride}; "
                f"expected one of {known}, and filter dimensions and strides of at least 1. Correct them."
            )

    def windows(self, x: torch.Tensor, sizes: Pair) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Along each axis: (out, in), 1 where a value's window covers a pixel; and the windows' sizes within the
        pads.
        """
        covers, spans = [], []
        for count, size, kernel, stride, pad in zip(
            x.shape[2:], sizes, self.kernel, self.stride, self.pad, strict=True
        ):
            starts = torch.arange(count, device=x.device) * stride - pad
            pixels = torch.arange(size, device=x.device)[:, None]
            covers.append(((pixels >= starts) & (pixels < starts + kernel)).to(x.dtype))
            spans.append((torch.clamp(starts + kernel, max=size + pad) - starts).clamp(min=1).to(x.dtype))
        return covers, spans

    def put(self, x: torch.Tensor, where: torch.Tensor, sizes: Pair) -> torch.Tensor:
        """Zeros of these sizes with the values of x at the numbered pixels, (N, C, H · W) or fewer axes."""
        where = where.expand(*x.shape[:2], -1)
        flat = torch.zeros(*x.shape[:2], sizes[0] * sizes[1], dtype=x.dtype, device=x.device)
        return flat.scatter(2, where, x.flatten(start_dim=2)).reshape(*x.shape[:2], *sizes)


@register_layer
class Unpooling(_Unpools):
    """Puts values back where a pooling took them from, or spreads them over its windows (DeconvNet).

    y[mask] = x (MAX; without a mask at the first pixel of each window), y[p] = Σ x / (pixels of the window) (AVE), or
        Σ x (TILE), over the windows that cover p; 0 elsewhere
    bottom: (N, C, H, W), and the second top of a Pooling MAX, which says where its maxima lay
    top: (N, C, unpool_h, unpool_w), or the larger of (H − 1) · stride + kernel and H · stride + 1
    parameters: unpool (MAX, AVE, TILE), kernel_size or kernel_h and kernel_w, stride (1) or stride_h and stride_w,
        unpool_size or unpool_h and unpool_w
    restrictions: pad is 0
    source: DeconvNet: src/caffe/layers/unpooling_layer.cpp; there AVE and TILE add to what the top held before, and
        TILE's gradient is the mean over the window instead of the sum
    """

    bottoms = (1, 2)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.read((MAX, AVE, TILE))
        self.wanted = self.pair("unpool_size", 0)
        if self.pad != (0, 0):
            raise NetError(f"{self}: pad is {self.pad}; currently, only zero padding is allowed. Remove it.")

    def top_shapes(self, x: Shape, mask: Shape | None = None) -> list[Shape]:
        check_image(self, x)
        if mask not in (None, x):
            raise ShapeError(
                f"{self}: bottoms are {x} and {mask}; expected a mask of the first one's shape. Correct the shapes."
            )
        height, width = (
            wanted or max((size - 1) * stride + kernel, size * stride + 1)
            for wanted, size, stride, kernel in zip(self.wanted, x[2:], self.stride, self.kernel, strict=True)
        )
        self.sizes = (height, width)
        return [(*x[:2], height, width)]

    def compute(self, x: torch.Tensor, *masks: torch.Tensor) -> torch.Tensor:
        if self.method != MAX:
            (down, across), (rows, columns) = self.windows(x, self.sizes)
            mean = down @ (x / (rows[:, None] * columns)) @ across.T
            # TILE has the gradient of AVE in DeconvNet.
            return mean if self.method == AVE else (down @ x @ across.T).detach() + (mean - mean.detach())
        height, width = self.sizes
        if not masks:
            first = [
                (torch.arange(size, device=x.device) * stride).clamp(max=end - 1)
                for size, stride, end in zip(x.shape[2:], self.stride, self.sizes, strict=True)
            ]
            return self.put(x, (first[0][:, None] * width + first[1]).reshape(-1), self.sizes)
        where = masks[0].detach().long().flatten(start_dim=2)
        if where.numel() and (int(where.min()) < 0 or int(where.max()) >= height * width):
            raise ShapeError(
                f"{self}: the mask has {int(where.min())} … {int(where.max())}, a map of {height} × {width} has pixels "
                f"0 … {height * width - 1}. Correct unpool_size."
            )
        return self.put(x, where, self.sizes)


@register_layer
class UnPooling(_Unpools):
    """Spreads values over windows of a larger map (ParseNet).

    y = x at the middle of each window (FIXED), or y[p] = mean of x (REP), or of x / (pixels of the window) (DIV), over
        the windows that cover p
    bottom: (N, C, H, W), and a second one of whose size the windows are made: as large as they are far apart, and cut
        off by half of what is too much
    top: (N, C, (H − 1) · out_stride + out_kernel_size − 2 · out_pad, …)
    parameters: unpool (FIXED, DIV, REP), out_kernel_size or out_kernel_h and out_kernel_w, out_stride (1), out_pad (0)
    source: ParseNet: src/caffe/layers/unpooling_layer.cpp
    """

    bottoms = (1, 2)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.method = self.message.unpool
        if self.method not in (FIXED, DIV, REP):
            raise NetError(f"{self}: unpool is {_METHODS.Name(self.method)}, expected FIXED, DIV or REP. Correct it.")
        self.kernel, self.stride, self.pad = (
            self.pair(name, default) for name, default in (("out_kernel_size", 0), ("out_stride", 1), ("out_pad", 0))
        )
        if len(bottom) == 1:
            self.check(self.kernel, self.stride)

    def check(self, kernel: Pair, stride: Pair) -> None:
        if min(*kernel, *stride) < 1 or any(pad >= size for pad, size in zip(self.pad, kernel, strict=True)):
            raise NetError(
                f"{self}: the kernel is {kernel}, the stride {stride}, the pad {self.pad}; out filter dimensions "
                "cannot be zero, nor smaller than the pad. Correct them."
            )

    def top_shapes(self, x: Shape, other: Shape | None = None) -> list[Shape]:
        for shape in (x, other or x):
            check_image(self, shape)
        if other is not None:
            reach = [-(-large // small) for large, small in zip(other[2:], x[2:], strict=True)]
            self.kernel = (reach[0], reach[1])
            steps = [1 if step == size else step for step, size in zip(reach, other[2:], strict=True)]
            self.stride = (steps[0], steps[1])
            spans = [(size - 1) * s + k for size, s, k in zip(x[2:], steps, reach, strict=True)]
            pads = [max(0, span - size) // 2 for span, size in zip(spans, other[2:], strict=True)]
            self.pad = (pads[0], pads[1])
            self.check(self.kernel, self.stride)
        height, width = (
            (size - 1) * stride + kernel - 2 * pad
            for size, stride, kernel, pad in zip(x[2:], self.stride, self.kernel, self.pad, strict=True)
        )
        if min(height, width) < 1:
            raise ShapeError(f"{self}: bottom is {x}, the top would be {height} × {width}. Make out_pad smaller.")
        self.sizes = (height, width)
        return [(*x[:2], height, width)]

    def compute(self, x: torch.Tensor, *other: torch.Tensor) -> torch.Tensor:
        if self.method == FIXED:
            rows, columns = (
                (torch.arange(count, device=x.device) * stride - pad + (kernel - 1) // 2).clamp(0, size - 1)
                for count, stride, pad, kernel, size in zip(
                    x.shape[2:], self.stride, self.pad, self.kernel, self.sizes, strict=True
                )
            )
            return self.put(x, (rows[:, None] * self.sizes[1] + columns).reshape(-1), self.sizes)
        (down, across), (high, wide) = self.windows(x, self.sizes)
        if self.method == DIV:
            x = x / (high[:, None] * wide)
        counts = down.sum(1)[:, None] * across.sum(1)
        return down @ x @ across.T / counts.clamp(min=1)


@register_layer
class Padding(TorchLayer):
    """Puts zeros around maps, or cuts their border off.

    y[h, w] = x[h − pad_beg, w − pad_beg] where there is one, else 0
    bottom: (N, C, H, W)
    top: (N, C, H + pad_beg + pad_end, W + pad_beg + pad_end)
    parameters: pad_beg (0), pad_end (0): both 0 or more, or both 0 or less
    source: DeepLab v1: src/caffe/layers/padding_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "padding_param"
    traits = replace(TorchLayer.traits, replayable=True, zero_at_zero=True)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.begin, self.end = self.message.pad_beg, self.message.pad_end
        if self.begin * self.end < 0:
            raise NetError(
                f"{self}: pad_beg is {self.begin}, pad_end {self.end}. Padding must either be both positive or "
                "negative."
            )

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        height, width = (size + self.begin + self.end for size in x[2:])
        if min(height, width) < 1:
            raise ShapeError(f"{self}: bottom is {x}; padding makes height or width <= 0. Cut off less.")
        return [(*x[:2], height, width)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x, [self.begin, self.end] * 2)
