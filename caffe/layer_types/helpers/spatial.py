"""Windows along the spatial axes: their settings, their number, and the values within them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F

from caffe.errors import NetError, ShapeError
from caffe.formats.blobproto import MAX_COUNT
from caffe.layer_types.base import NativeLayer, Shape
from caffe.limits import check_count
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text


@dataclass(frozen=True)
class SpatialWindow:
    """One number for each spatial axis in each tuple."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @cached_property
    def extent(self) -> Shape:
        """What a dilated kernel spans."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def positions(self, sizes: Sequence[int]) -> Shape:
        """How often the window fits. Cut off towards zero: less than a stride too large, it still counts once."""
        rooms = [n + 2 * p - e for n, p, e in zip(sizes, self.pad, self.extent, strict=True)]
        return tuple(math.trunc(room / s) + 1 for room, s in zip(rooms, self.stride, strict=True))

    def fit(self, sizes: Sequence[int]) -> bool:
        """Whether a window fits into the padded input along every axis."""
        return all(n + 2 * p >= e for n, p, e in zip(sizes, self.pad, self.extent, strict=True))

    def check_reach(self, channels: int, sizes: Sequence[int], layer: NativeLayer) -> None:
        """Refuse a pad, or a span of the kernel, for which an image with it would be too large to count."""
        padded = [n + 2 * p for n, p in zip(sizes, self.pad, strict=True)]
        fields = "`pad`" if math.prod((channels, *sizes)) <= MAX_COUNT else "`stride`, `dilation` or the kernel's size"
        check_count((channels, *padded), f"a bottom's image with a pad of {self.pad}", str(layer), fields)
        reach = [max(n, e) for n, e in zip(padded, self.extent, strict=True)]
        check_count(
            (channels, *reach),
            f"what a kernel of {self.kernel} spans, dilated by {self.dilation},",
            str(layer),
            "`dilation` or the kernel's size",
        )

    def patches(self, x: torch.Tensor) -> torch.Tensor:
        """What each window sees (im2col): (N, C, sizes…) → (N, C, kernel…, positions…), zero outside of x."""
        sizes = x.shape[2:]
        axes = len(sizes)
        positions = self.positions(sizes)
        reach = [(o - 1) * s + e for o, s, e in zip(positions, self.stride, self.extent, strict=True)]
        after = [max(0, r - n - p) for r, n, p in zip(reach, sizes, self.pad, strict=True)]
        margins = [margin for pair in zip(self.pad, after, strict=True) for margin in reversed(pair)]
        x = F.pad(x, margins[::-1])
        for axis in reversed(range(axes)):
            offsets = torch.arange(self.kernel[axis], device=x.device) * self.dilation[axis]
            starts = torch.arange(positions[axis], device=x.device) * self.stride[axis]
            seen = (offsets[:, None] + starts).reshape(-1)
            x = x.index_select(2 + axis, seen).unflatten(2 + axis, (self.kernel[axis], positions[axis]))
        kernel_axes, position_axes = range(2, 2 + 2 * axes, 2), range(3, 3 + 2 * axes, 2)
        return x.permute(0, 1, *kernel_axes, *position_axes)


def read_windows(layer: NativeLayer, param: caffe_pb2.ConvolutionParameter, axes: int) -> SpatialWindow:
    """The windows that a ConvolutionParameter describes, for a bottom with so many spatial axes."""
    windows = SpatialWindow(
        kernel=_spatial(layer, param, "kernel_size", axes),
        stride=_spatial(layer, param, "stride", axes, default=1),
        pad=_spatial(layer, param, "pad", axes, default=0),
        dilation=_spatial(layer, param, "dilation", axes, default=1),
    )
    if 0 in windows.kernel:
        raise NetError(f"{layer}: kernel is {windows.kernel}. Filter dimensions must be nonzero.")
    if 0 in windows.stride:
        raise NetError(f"{layer}: stride is {windows.stride}. Stride dimensions must be nonzero.")
    return windows


def _spatial(
    layer: NativeLayer, param: caffe_pb2.ConvolutionParameter, field: str, axes: int, default: int | None = None
) -> Shape:
    """A repeated field, given once or once per spatial axis, or its variants _h and _w."""
    values = list(getattr(param, field))
    word = field.removesuffix("_size")
    if field != "dilation" and (param.HasField(f"{word}_h") or param.HasField(f"{word}_w")):
        if axes != 2:
            raise NetError(
                f"{layer}: bottom has {axes} spatial axes, but {word}_h & {word}_w can only be used for 2D "
                f"convolution. Give {field} once per axis."
            )
        if values:
            raise NetError(f"{layer}: Either {field} or {word}_h/w should be specified; not both. Remove one of them.")
        return getattr(param, f"{word}_h"), getattr(param, f"{word}_w")
    if not values and default is not None:
        values = [default]
    if len(values) not in (1, axes):
        raise NetError(
            f"{layer}: {field} must be specified once, or once per spatial dimension "
            f"({field} specified {len(values)} times; {axes} spatial dims)."
            " Correct it."
        )
    return tuple(values) if len(values) == axes else tuple(values) * axes


def check_some_fit(layer: NativeLayer, positions: Shape, sizes: Sequence[int]) -> None:
    """Refuse a bottom that is too small for even one window."""
    if min(positions, default=1) < 1:
        raise ShapeError(
            f"{layer}: bottom is {shape_text(sizes)} along its spatial axes, its top would be "
            f"{shape_text(positions)} (shape[i] >= 0, and not empty). Give a larger bottom or more `pad`."
        )


def check_image(layer: NativeLayer, shape: Shape) -> None:
    """Refuse a bottom that has other than four axes."""
    if len(shape) != 4:
        more = " Cannot use legacy accessors on Blobs with > 4 axes." if len(shape) > 4 else ""
        raise ShapeError(
            f"{layer}: bottom is {shape_text(shape)}. Input must have 4 axes, corresponding to (num, channels, "
            f"height, width).{more} Reshape it."
        )
