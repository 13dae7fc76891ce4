"""Pooling: one number for each window of a map."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from caffe import device, limits, ops
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.layer_types.base import Precision, ReceptiveField, Rows, Shape, TorchLayer, layer_type, rows
from caffe.layer_types.helpers.spatial import check_image, check_some_fit
from caffe.ops.functions import padded_for_torch
from caffe.proto import caffe_pb2

Pair = tuple[int, int]
MAX, AVE, STOCHASTIC = (caffe_pb2.PoolingParameter.PoolMethod.Value(name) for name in ("MAX", "AVE", "STOCHASTIC"))
LOWEST = -torch.finfo(torch.float32).max
NO_PIXEL = -1


@dataclass(frozen=True)
class PoolingWindow:
    """Height and width of a pooling window, of its steps, and of the border around the map."""

    kernel: Pair
    stride: Pair
    pad: Pair
    floor: bool = False

    def positions(self, x: Shape) -> Pair:
        """Rows and columns of the top: rounded up, so that the last window may hang over the edge.

        With any pad, a last window that begins beyond the map is left out; without one it stays, and sees nothing.
        """
        counts = []
        for size, kernel, stride, pad in zip(x[2:], self.kernel, self.stride, self.pad, strict=True):
            room = size + 2 * pad - kernel
            count = (room // stride if self.floor else -(-room // stride)) + 1
            counts.append(count - 1 if any(self.pad) and (count - 1) * stride >= size + pad else count)
        return counts[0], counts[1]


class _Pools(TorchLayer):
    """A method of pooling, with one window or several."""

    bottoms = 1
    traits = replace(TorchLayer.traits, replayable=True)
    method: int
    draws: list[torch.Tensor] | None = None
    """STOCHASTIC in TRAIN: for each window, a random number for each of its positions."""

    def windows(self, x: Shape) -> list[PoolingWindow]:
        """The windows, which may depend on the size of the map."""
        raise NotImplementedError

    def check(self, x: Shape, window: PoolingWindow) -> None:
        """Refuse a window that Caffe refuses."""
        if 0 in window.kernel:
            raise NetError(f"{self}: kernel is {window.kernel}. Filter dimensions cannot be zero.")
        if 0 in window.stride:
            raise NetError(f"{self}: stride is {window.stride}, expected at least 1. Correct it.")
        if any(window.pad) and self.method == STOCHASTIC:
            raise NetError(f"{self}: pad is {window.pad}. Padding implemented only for average and max pooling.")
        for letter, pad, kernel in zip("hw", window.pad, window.kernel, strict=True):
            if pad >= kernel:
                raise NetError(
                    f"{self}: pad {pad} of a window of size {kernel}, expected pad_{letter}_ < kernel_{letter}_. "
                    "Make the pad smaller or the window larger."
                )
        check_some_fit(self, window.positions(x), x[2:])
        padded = [size + 2 * pad for size, pad in zip(x[2:], window.pad, strict=True)]
        limits.check_count((x[1], *padded), f"a bottom's image with a pad of {window.pad}", str(self), "`pad`")
        reach = [max(size, kernel) for size, kernel in zip(padded, window.kernel, strict=True)]
        limits.check_count((x[1], *reach), f"what a kernel of {window.kernel} spans", str(self), "the kernel's size")

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        if self.method == STOCHASTIC and self.phase == caffe_pb2.TRAIN:
            x = bottom[0].shape
            shapes = [(*x[:2], *window.positions(x)) for window in self.windows(x)]
            self.draws = [
                torch.rand(s, generator=device.generator(), dtype=torch.float32, device=device.current())
                for s in shapes
            ]
        super().forward(bottom, top)

    def pooled(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The values for each window."""
        windows = self.windows(tuple(x.shape))
        if self.method == MAX:
            return [max_pool(x, window) for window in windows]
        if self.method == AVE:
            return [average_pool(x, window) for window in windows]
        if self.draws is None:
            return [expected_pool(x, window) for window in windows]
        return [chosen_pool(x, window, draws) for window, draws in zip(windows, self.draws, strict=True)]


@layer_type
class Pooling(_Pools):
    """The largest, the average, or a random value of each window.

    y[p] = max, mean, or a choice with probability ∝ x (in TEST: its expectation Σx² / Σx) over the window at
        stride · p − pad; the first of equal maxima counts, a NaN is passed on (Caffe skips it), the mean divides by the
        window's size within map and pad
    bottom: (N, C, H, W)
    top: (N, C, ⌈(H + 2·pad − kernel) / stride⌉ + 1, …), less a last window that begins beyond the
        map if there is any pad; with MAX a second top may tell where in its map each maximum lies (y · W + x)
    parameters: pool (MAX, AVE, STOCHASTIC), kernel_size or kernel_h and kernel_w, stride (1) or stride_h and stride_w,
        pad (0) or pad_h and pad_w, global_pooling (the window is the map), round_mode (CEIL, FLOOR)
    restrictions: pad is smaller than the window, and 0 with STOCHASTIC; global_pooling takes neither pad nor stride
    source: src/caffe/layers/pooling_layer.cpp, pooling_layer.cu
    """

    tops = (1, 2)
    settings = "pooling_param"
    traits = replace(_Pools.traits, precision=Precision.ANY, zero_at_zero=True)
    ignored: ClassVar[dict[str, str]] = {"engine": "one implementation"}

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.pooling_param
        self.method = param.pool
        self.tells_where = len(top) > 1
        if self.tells_where and self.method != MAX:
            raise NetError(
                f"{self}: {len(top)} tops, but Pooling Layer produces at most 1 top blob(s) as output unless "
                "pool is MAX. Remove the second top."
            )
        self._check_settings(param)
        self.window = PoolingWindow(
            kernel=_pair(param, "kernel_size"),
            stride=_pair(param, "stride"),
            pad=_pair(param, "pad"),
            floor=param.round_mode == caffe_pb2.PoolingParameter.FLOOR or not param.ceil_mode or param.torch_pooling,
        )
        self.covers_map = param.global_pooling
        if self.covers_map and (self.window.pad != (0, 0) or self.window.stride != (1, 1)):
            raise NetError(
                f"{self}: pad is {self.window.pad}, stride {self.window.stride}. With Global_pooling: true; only "
                "pad = 0 and stride = 1. Remove them."
            )
        if not (self.tells_where or self.covers_map or self.method == STOCHASTIC):
            rows, columns = map(ReceptiveField, self.window.kernel, self.window.stride, self.window.pad)
            self.traits = replace(self.traits, receptive_field=(rows, columns))

    def _check_settings(self, param: caffe_pb2.PoolingParameter) -> None:
        def has(*fields: str) -> list[bool]:
            return [param.HasField(field) for field in fields]

        both_sides = all(has("kernel_h", "kernel_w"))
        if param.global_pooling and any(has("kernel_size", "kernel_h", "kernel_w")):
            raise NetError(f"{self}: With Global_pooling: true Filter size cannot specified. Remove it.")
        if not param.global_pooling and param.HasField("kernel_size") == both_sides:
            raise NetError(
                f"{self}: Filter size is kernel_size OR kernel_h and kernel_w; not both, and not neither."
                " Set one of the two."
            )
        for field, title in (("pad", "pad"), ("stride", "Stride")):
            together, height, width = has(field, f"{field}_h", f"{field}_w")
            if height != width or (together and height):
                raise NetError(
                    f"{self}: {title} is {field} OR {field}_h and {field}_w are required. Give one or the other."
                )

    def windows(self, x: Shape) -> list[PoolingWindow]:
        return [PoolingWindow((x[2], x[3]), (1, 1), (0, 0)) if self.covers_map else self.window]

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        (window,) = self.windows(x)
        self.check(x, window)
        shape = (*x[:2], *window.positions(x))
        return [shape, shape] if self.tells_where else [shape]

    def rows(self, *bottoms: Shape) -> Rows | None:
        window = self.window
        sees_nothing = any(s > k for s, k in zip(window.stride, window.kernel, strict=True))
        if self.tells_where or self.covers_map or self.draws is not None or sees_nothing:
            return None
        filled = -math.inf if self.method == MAX else 0.0
        return rows.WindowRows(window.kernel[0], window.stride[0], window.pad[0], filled, hang=True)

    def take_bands(self) -> None:
        self.window = replace(self.window, pad=(0, self.window.pad[1]))

    def compute(self, x: torch.Tensor) -> list[torch.Tensor]:
        if self.tells_where:
            return list(max_pool_where(x, *self.windows(tuple(x.shape))))
        return self.pooled(x)

    def operations(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        (window,) = self.windows(bottom[0].shape)
        return math.prod(window.kernel) * sum(blob.count for blob in top)


@layer_type
class SPP(_Pools):
    """Spatial pyramid pooling: a vector of one length from maps of any size.

    y = for each level l = 0 … pyramid_height − 1: the map pooled into 2^l × 2^l bins, flattened, one after the other
    bottom: (N, C, H, W)
    top: (N, C · Σ 4^l), or (N, C, 1, 1) for a pyramid of height 1
    parameters: pyramid_height, pool (MAX, AVE, STOCHASTIC)
    source: src/caffe/layers/spp_layer.cpp
    """

    tops = 1
    settings = "spp_param"
    ignored: ClassVar[dict[str, str]] = {"engine": "one implementation"}

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.spp_param
        self.height, self.method = param.pyramid_height, param.pool
        if self.height < 1:
            raise NetError(f"{self}: pyramid_height is {self.height}, expected at least 1. Set it.")

    def windows(self, x: Shape) -> list[PoolingWindow]:
        return [self._level(level, x) for level in range(self.height)]

    def _level(self, level: int, x: Shape) -> PoolingWindow:
        """Equal bins, the excess shared between the two borders."""
        bins = 2**level
        height, width = (-(-size // bins) for size in x[2:])
        excess = (height * bins - x[2], width * bins - x[3])
        return PoolingWindow((height, width), (height, width), ((excess[0] + 1) // 2, (excess[1] + 1) // 2))

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        if 0 in x[2:]:
            raise ShapeError(f"{self}: bottom is {x}. Input dimensions cannot be zero.")
        bins = 0
        for level in range(self.height):
            window = self._level(level, x)
            self.check(x, window)
            bins += math.prod(window.positions(x))
        return [(*x[:2], 1, 1)] if self.height == 1 else [(x[0], x[1] * bins)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        levels = self.pooled(x)
        return levels[0] if self.height == 1 else torch.cat([y.flatten(start_dim=1) for y in levels], dim=1)


def _pair(param: caffe_pb2.PoolingParameter, field: str) -> Pair:
    """Height and width: of one field for both, or of _h and _w."""
    word = field.removesuffix("_size")
    if not param.HasField(field) and param.HasField(f"{word}_h"):
        return getattr(param, f"{word}_h"), getattr(param, f"{word}_w")
    both = getattr(param, field)
    return both, both


def _slide(pool: Callable[..., Any], x: torch.Tensor, window: PoolingWindow, border: float, **settings: bool) -> Any:
    """One of torch's pooling functions."""
    x, pad = padded_for_torch(x, window.kernel, window.pad, border)
    return pool(x, kernel_size=window.kernel, stride=window.stride, padding=pad, ceil_mode=not window.floor, **settings)


def _resized(y: torch.Tensor, window: PoolingWindow, x: torch.Tensor, empty: float) -> torch.Tensor:
    """Caffe's number of positions: less than torch's where windows see only a border, more where some see nothing."""
    rows, columns = window.positions(tuple(x.shape))
    more = (columns - y.shape[3], rows - y.shape[2])
    if more == (0, 0):
        return y
    return F.pad(y, (0, more[0], 0, more[1]), value=max(empty, torch.finfo(y.dtype).min))


def max_pool(x: torch.Tensor, window: PoolingWindow) -> torch.Tensor:
    """The largest value of each window; −FLT_MAX where a window sees nothing, NaN where it sees a NaN."""
    largest = ops.max_pool2d(x, window.kernel, window.stride, window.pad, ceil=not window.floor)
    return _resized(largest, window, x, LOWEST)


def max_pool_where(x: torch.Tensor, window: PoolingWindow) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest value of each window, and where in its map it lies: y · W + x, −1 where a window sees nothing."""
    values, where = _slide(F.max_pool2d, x, window, border=-math.inf, return_indices=True)
    width = x.shape[3]
    if any(2 * p > k for p, k in zip(window.pad, window.kernel, strict=True)):
        wide = width + 2 * window.pad[1]
        where = (where // wide - window.pad[0]) * width + where % wide - window.pad[1]
    where = _resized(where.float(), window, x, NO_PIXEL)
    return _resized(values, window, x, LOWEST), where


def average_pool(x: torch.Tensor, window: PoolingWindow) -> torch.Tensor:
    """The mean of each window, whose size counts the pad but nothing beyond it; 0 / 0 where a window sees nothing."""
    y = _slide(F.avg_pool2d, x, window, border=0.0, count_include_pad=True)
    rows, columns = window.positions(tuple(x.shape))
    if rows <= y.shape[2] and columns <= y.shape[3]:
        return _resized(y, window, x, 0.0)
    left = [torch.ones(count, dtype=x.dtype, device=x.device) for count in (rows, columns)]
    for axis, (size, count) in enumerate(zip(x.shape[2:], y.shape[2:], strict=True)):
        left[axis][count:] = size - count * window.stride[axis]
    return _resized(y, window, x, 0.0) / torch.outer(*left)


def _seen(x: torch.Tensor, window: PoolingWindow) -> torch.Tensor:
    """(N, C, H, W) → (N, C, rows, columns, pixels of the window), 0 beyond the map."""
    positions = window.positions(tuple(x.shape))
    reach = [(n - 1) * s + k for n, s, k in zip(positions, window.stride, window.kernel, strict=True)]
    x = F.pad(x, (0, reach[1] - x.shape[3], 0, reach[0] - x.shape[2]))
    for axis in (0, 1):
        x = x.unfold(2 + axis, window.kernel[axis], window.stride[axis])
    return x.flatten(start_dim=4)


def chosen_pool(x: torch.Tensor, window: PoolingWindow, draws: torch.Tensor) -> torch.Tensor:
    """For each window, the pixel at which the running sum reaches the drawn share of the whole sum."""
    seen = _seen(x, window)
    running = seen.detach().cumsum(-1)
    reached_at = (running < draws.unsqueeze(-1) * running[..., -1:]).sum(-1, keepdim=True)
    return seen.gather(-1, reached_at.clamp(max=seen.shape[-1] - 1)).squeeze(-1)


def expected_pool(x: torch.Tensor, window: PoolingWindow) -> torch.Tensor:
    """Σx² / Σx of each window, 0 where all is 0."""
    seen = _seen(x, window)
    return seen.square().sum(-1) / (seen.sum(-1) + torch.finfo(torch.float32).tiny)
