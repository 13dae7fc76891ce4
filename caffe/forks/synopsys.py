"""Synopsys: what its fields make of Caffe's own types, in nets that were TensorFlow's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F

from caffe import limits
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.forks.classification import ReLU6
from caffe.layer_types.base import Precision, Rows, Shape, TorchLayer, stands_for
from caffe.layer_types.helpers.spatial import check_image, check_some_fit
from caffe.layer_types.normalization.normalization import BatchNorm
from caffe.layer_types.vision.convolution import Convolution
from caffe.layer_types.vision.pooling import LOWEST, MAX, NO_PIXEL, Pooling
from caffe.proto import caffe_pb2

AVERAGES_OF_PIXELS = tuple(caffe_pb2.PoolingParameter.PoolMethod.Value(name) for name in ("AVE_EXC_PAD", "AVE_TF"))
METHODS = (*map(caffe_pb2.PoolingParameter.PoolMethod.Value, ("MAX", "AVE")), *AVERAGES_OF_PIXELS)
SAME = 1
"""Of pad_type: as much pad as gives a value for each stride, the more of it behind, as TensorFlow's."""
Pair = tuple[int, int]


def has_sides(param: Any) -> bool:
    """Whether the settings have a pad of one side."""
    return any(getattr(param, f"pad_{side}") for side in "tblr")


def read_sides(layer: TorchLayer, param: Any) -> tuple[Pair, Pair]:
    """(top, bottom), (left, right). NetError beside another kind of pad, and for pads below 0."""
    (top, bottom), (left, right) = sides = ((param.pad_t, param.pad_b), (param.pad_l, param.pad_r))
    given = bool(param.pad) if hasattr(param.pad, "extend") else param.HasField("pad")
    others = [name for name in ("pad_h", "pad_w", "pad_type") if param.HasField(name)] + ["pad"] * given
    if any(map(any, sides)) and (others or min(top, bottom, left, right) < 0):
        raise NetError(
            f"{layer}: pad_t is {top}, pad_b {bottom}, pad_l {left}, pad_r {right}, with {', '.join(others) or 'no'} "
            "other pad; expected 0 or more each, and no other. Either pad or pad_l/r/t/b should be specified; not both."
        )
    return sides


@stands_for("Convolution", where=lambda layer: has_sides(layer.convolution_param))
class SidedConvolution(Convolution):
    """A convolution along two axes with a pad of its own at each side."""

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.sides = read_sides(self, self.layer_param.convolution_param)
        super().setup(bottom, top)
        if self.axis != 1 or len(self.windows.kernel) != 2:
            raise NetError(
                f"{self}: bottom has {len(self.windows.kernel)} spatial axes; pad_l, pad_r, pad_t & pad_b can only be "
                "used for 2D convolution. Give `pad`."
            )
        self.traits = replace(self.traits, receptive_field=None, is_conv2d=False)

    def _padded(self, sizes: Shape) -> Shape:
        return tuple(size + sum(pads) for size, pads in zip(sizes, self.sides, strict=True))

    def top_sizes(self, sizes: Shape) -> Shape:
        return super().top_sizes(self._padded(sizes))

    def check_reach(self, bottom: Shape, top: Shape) -> None:
        super().check_reach(self._padded(bottom), top)

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = self.sides
        return super().convolved(F.pad(x, (*columns, *rows)))

    def rows(self, *bottoms: Shape) -> Rows | None:
        return None


@dataclass(frozen=True)
class _Axis:
    """A pooling along one axis."""

    size: int
    kernel: int
    stride: int
    before: int
    after: int
    count: int
    """Of windows."""

    def beyond(self) -> int:
        """How much border behind the map the last window needs."""
        return max((self.count - 1) * self.stride + self.kernel - self.size - self.before, 0)

    def divisors(self, x: torch.Tensor, *, pixels: bool) -> torch.Tensor:
        """How much of each window lies within map and pad, or within the map alone."""
        starts = torch.arange(self.count, device=x.device) * self.stride - self.before
        ends = (starts + self.kernel).clamp(max=self.size + (0 if pixels else self.after))
        return (ends - (starts.clamp(min=0) if pixels else starts)).clamp(min=0).to(x.dtype)


def _pools_otherwise(layer: caffe_pb2.LayerParameter) -> bool:
    param = layer.pooling_param
    return has_sides(param) or param.pool in AVERAGES_OF_PIXELS or param.pad_type != 0


@stands_for("Pooling", where=_pools_otherwise)
class SidedPooling(Pooling):
    """Pooling with a pad of its own at each side, or a mean of the pixels that a window sees (AVE_EXC_PAD, AVE_TF)."""

    traits = replace(Pooling.traits, precision=Precision.SINGLE)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.pooling_param
        sides = read_sides(self, param)
        if param.pool not in METHODS or param.pad_type not in (0, SAME):
            raise NetError(
                f"{self}: pool is {param.PoolMethod.Name(param.pool)}, pad_type {param.pad_type}; expected MAX, AVE or "
                "AVE_EXC_PAD, and pad_type 0 or 1. Padding implemented only for average and max pooling."
            )
        if param.pad_type and any(map(param.HasField, ("pad", "pad_h", "pad_w"))):
            raise NetError(f"{self}: Either pad or pad_type should be specified; not both. Remove one.")
        super().setup(bottom, top)
        self.traits = replace(self.traits, receptive_field=None, zero_at_zero=not self.tells_where)
        self.same = param.pad_type == SAME
        rows, columns = self.window.pad
        self.sides = sides if has_sides(param) else ((rows, rows), (columns, columns))

    def along(self, x: Shape) -> list[_Axis]:
        """Rows, and columns."""
        (window,) = self.windows(x)
        found = []
        for size, kernel, stride, sides in zip(x[2:], window.kernel, window.stride, self.sides, strict=True):
            (before, after), room = sides, size + sum(sides) - kernel
            if self.same:
                pad = max(kernel - (size % stride or stride), 0)
                found.append(_Axis(size, kernel, stride, pad // 2, pad - pad // 2, -(-size // stride)))
                continue
            count = (room // stride if window.floor else -(-room // stride)) + 1
            hangs = any(map(any, self.sides)) and (count - 1) * stride >= size + before
            found.append(_Axis(size, kernel, stride, before, after, count - hangs))
        return found

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        (window,) = self.windows(x)
        if 0 in window.kernel or 0 in window.stride:
            raise NetError(f"{self}: kernel is {window.kernel}, stride {window.stride}, expected at least 1. Correct.")
        axes = self.along(x)
        shape = (*x[:2], *(axis.count for axis in axes))
        check_some_fit(self, shape[2:], x[2:])
        padded = [axis.size + axis.before + max(axis.after, axis.beyond()) for axis in axes]
        limits.check_count((x[1], *padded), "a bottom's image with its pads", str(self), "the pads or kernel_size")
        return [shape, shape] if self.tells_where else [shape]

    def rows(self, *bottoms: Shape) -> Rows | None:
        return None

    def compute(self, x: torch.Tensor) -> list[torch.Tensor]:
        rows, columns = axes = self.along(tuple(x.shape))
        border = -torch.inf if self.method == MAX else 0.0
        wide = F.pad(x, (columns.before, columns.beyond(), rows.before, rows.beyond()), value=border)
        kernel, stride = ([getattr(axis, name) for axis in axes] for name in ("kernel", "stride"))
        if self.method == MAX:
            largest, where = F.max_pool2d(wide, kernel, stride, return_indices=True)
            y = largest[..., : rows.count, : columns.count].clamp(min=LOWEST)
            if not self.tells_where:
                return [y]
            where = where[..., : rows.count, : columns.count]
            row, column = where // wide.shape[3] - rows.before, where % wide.shape[3] - columns.before
            return [y, torch.where(y > LOWEST, row * columns.size + column, NO_PIXEL).to(x.dtype)]
        sums = F.avg_pool2d(wide, kernel, stride, divisor_override=1)[..., : rows.count, : columns.count]
        pixels = self.method in AVERAGES_OF_PIXELS
        return [sums / torch.outer(rows.divisors(x, pixels=pixels), columns.divisors(x, pixels=pixels))]


@stands_for("ReLU", where=lambda layer: layer.relu_param.relu6)
class LimitedReLU(ReLU6):
    """ReLU with relu6: at most 6."""

    settings = "relu_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.slope, self.limit = self.message.negative_slope, 6.0


@stands_for("BatchNorm", where=lambda layer: not layer.batch_norm_param.add_eps_before_sqrt)
class DarknetsBatchNorm(BatchNorm):
    """BatchNorm that adds eps to the standard deviation (add_eps_before_sqrt: false), as darknet does."""

    def standardized(self, centred: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        return centred / (variance.sqrt() + self.eps)


@stands_for("Reshape", where=lambda layer: layer.reshape_param.pixelshuffler != 1)
class PixelShuffler(TorchLayer):
    """Reshape with pixelshuffler r: y[c, h, w] = x[c · r² + (h mod r) · r + w mod r, h div r, w div r]."""

    bottoms = 1
    tops = 1
    settings = "reshape_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.times = self.message.pixelshuffler
        if self.times < 1 or self.message.HasField("shape"):
            raise NetError(
                f"{self}: pixelshuffler is {self.times}{' beside a shape' if self.times > 0 else ''}; expected 1 or "
                "more, and nothing else. Correct reshape_param."
            )

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        times = self.times
        if x[1] % times**2:
            raise ShapeError(
                f"{self}: bottom is {x}, pixelshuffler {times}; expected a multiple of {times**2} channels. output "
                "count must match input count."
                " Correct the channels."
            )
        return [(x[0], x[1] // times**2, x[2] * times, x[3] * times)]

    def compute(self, x: torch.Tensor) -> Sequence[torch.Tensor]:
        return [F.pixel_shuffle(x, self.times)]
