"""TensorFlow: pixels that become items of a batch, and channels that become pixels, for Synopsys' Caffe."""

import math

import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image

SHUFFLES = ("NHWC", "NCHW", "DCR", "CRD")


class _Blocks(TorchLayer):
    """Blocks along the axes after the first: pieces of them are items of the batch."""

    bottoms = 1
    tops = 1
    ends: str

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        ends = list(getattr(self.message, self.ends))
        self.blocks, self.borders = list(self.message.block_shape), list(zip(ends[::2], ends[1::2], strict=False))
        if not self.blocks or min(self.blocks) < 1 or len(ends) != 2 * len(self.blocks):
            raise NetError(
                f"{self}: block_shape is {self.blocks}, {self.ends} {ends}; expected at least 1 each, and two of "
                f"{self.ends} for each. Correct them."
            )

    def refuse(self, x: Shape) -> ShapeError:
        return ShapeError(
            f"{self}: bottom is {x}, block_shape {self.blocks}, {self.ends} {self.borders}; expected blocks that "
            "divide it. Correct them."
        )


@register_layer
class SpaceToBatchND(_Blocks):
    """Makes items of a batch of every so many-th pixel, as before a dilated convolution in TensorFlow.

    y[b · N + n, i…] = x[n, i · block + b − before…], 0 outside; b numbers the places in a block, in the order of rows
    bottom: (N, sizes…, …)
    top: (N · Π block_shape, (size + before + behind) / block…, …)
    parameters: block_shape (for each axis from the second), paddings (before and behind, for each)
    source: Synopsys Caffe: src/caffe/layers/space_to_batch_nd_layer.cpp, which has no gradient; here it has
    """

    settings = "space_to_batch_nd_param"
    ends = "paddings"

    def top_shapes(self, x: Shape) -> list[Shape]:
        count = len(self.blocks)
        sizes = [size + sum(pads) for size, pads in zip(x[1 : 1 + count], self.borders, strict=False)]
        if len(sizes) < count or any(size % block for size, block in zip(sizes, self.blocks, strict=True)):
            raise self.refuse(x)
        parts = (size // block for size, block in zip(sizes, self.blocks, strict=True))
        return [(x[0] * math.prod(self.blocks), *parts, *x[1 + count :])]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        (shape,), count = self.top_shapes(tuple(x.shape)), len(self.blocks)
        pads = [pad for border in reversed(self.borders) for pad in border]
        x = F.pad(x, ([0, 0] * (x.dim() - 1 - count)) + pads)
        split = [each for size, block in zip(shape[1:], self.blocks, strict=False) for each in (size, block)]
        parts = x.reshape(len(x), *split, *shape[1 + count :])
        inner, outer = range(2, 2 + 2 * count, 2), range(1, 1 + 2 * count, 2)
        return parts.permute(*inner, 0, *outer, *range(1 + 2 * count, parts.dim())).reshape(shape)


@register_layer
class BatchToSpaceND(_Blocks):
    """Puts items of a batch back as pixels: the inverse of SpaceToBatchND.

    y[n, i · block + b − before…] = x[b · N + n, i…]; b numbers the places in a block, in the order of rows
    bottom: (N · Π block_shape, sizes…, …)
    top: (N, size · block − before − behind…, …)
    parameters: block_shape (for each axis from the second), crops (before and behind, for each)
    source: Synopsys Caffe: src/caffe/layers/batch_to_space_nd_layer.cpp, which has no gradient; here it has
    """

    settings = "batch_to_space_nd_param"
    ends = "crops"

    def top_shapes(self, x: Shape) -> list[Shape]:
        count = len(self.blocks)
        sizes = [size * block for size, block in zip(x[1:], self.blocks, strict=False)]
        left = [size - sum(crops) for size, crops in zip(sizes, self.borders, strict=False)]
        if len(sizes) < count or not x or x[0] % math.prod(self.blocks) or min(left) < 1:
            raise self.refuse(x)
        return [(x[0] // math.prod(self.blocks), *left, *x[1 + count :])]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        (shape,), count = self.top_shapes(tuple(x.shape)), len(self.blocks)
        parts = x.reshape(*self.blocks, shape[0], *x.shape[1:])
        pairs = [axis for index in range(count) for axis in (count + 1 + index, index)]
        parts = parts.permute(count, *pairs, *range(2 * count + 1, parts.dim()))
        sizes = [size * block for size, block in zip(x.shape[1:], self.blocks, strict=False)]
        whole = parts.reshape(shape[0], *sizes, *x.shape[1 + count :])
        for axis, (before, _) in enumerate(self.borders, start=1):
            whole = whole.narrow(axis, before, shape[axis])
        return whole.contiguous()


@register_layer
class DepthToSpace(TorchLayer):
    """Makes pixels of channels.

    y[d, h, w] = x[((h mod b) · b + w mod b) · D + d, h div b, w div b] of D channels; with data_format "CRD"
        x[d · b² + (h mod b) · b + w mod b, h div b, w div b]
    bottom: (N, H, W, C); with data_format "NCHW" (or "DCR") and "CRD" (N, C, H, W)
    top: like the bottom, with C / b² channels, b · H rows and b · W columns
    parameters: block_size (b), data_format ("NHWC")
    source: Synopsys Caffe: src/caffe/layers/depth_to_space_layer.cpp, which has no gradient; here it has
    """

    bottoms = 1
    tops = 1
    settings = "depth_to_space_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.block, self.layout = self.message.block_size, self.message.data_format
        if self.block < 1 or self.layout not in SHUFFLES:
            raise NetError(
                f"{self}: block_size is {self.block}, data_format '{self.layout}'; expected 1 or more, and one of "
                f"{', '.join(SHUFFLES)}. Correct them."
            )

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        b, channels = self.block, x[3] if self.layout == "NHWC" else x[1]
        if channels % b**2:
            raise ShapeError(
                f"{self}: bottom is {x}, block_size {b}; expected a multiple of {b**2} channels. output count must "
                "match input count."
                " Correct the channels."
            )
        if self.layout == "NHWC":
            return [(x[0], x[1] * b, x[2] * b, channels // b**2)]
        return [(x[0], channels // b**2, x[2] * b, x[3] * b)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        b = self.block
        if self.layout == "CRD":
            return F.pixel_shuffle(x, b)
        x = x if self.layout == "NHWC" else x.permute(0, 2, 3, 1)
        count, height, width, channels = x.shape
        y = x.reshape(count, height, width, b, b, channels // b**2).permute(0, 1, 3, 2, 4, 5)
        y = y.reshape(count, height * b, width * b, -1)
        return (y if self.layout == "NHWC" else y.permute(0, 3, 1, 2)).contiguous()


@register_layer
class UpsampleDarknet(TorchLayer):
    """Repeats every pixel.

    y[p] = x[p div stride]
    bottom: (N, C, H, W)
    top: (N, C, H · stride, W · stride)
    parameters: stride (1)
    source: Synopsys Caffe: src/caffe/layers/upsample_darknet_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "upsample_darknet_param"

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        if self.message.stride < 1:
            raise NetError(f"{self}: stride is {self.message.stride}, expected 1 or more. Correct it.")
        return [(*x[:2], x[2] * self.message.stride, x[3] * self.message.stride)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        times = self.message.stride
        return x.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)
