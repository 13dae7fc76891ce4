"""Where a pixel of one blob lies in another, and the Crop layers that follow from it.

A coordinate map is a triple `(axis, scale, shift)`: coordinate `x` of one blob is coordinate `scale * x + shift` of the
other, on every axis after `axis`, the last one that is not a coordinate. Scale and shift are numbers, or arrays with
one value an axis. Layers that act on every pixel alike have the map `(None, 1, 0)`.

The API is pycaffe's (python/caffe/coord_map.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from caffe.errors import NetError
from caffe.net_spec import Function, Top
from caffe.net_spec import layers as L

CoordMap = tuple[Any, Any, Any]

IDENTITY: CoordMap = (None, 1, 0)

PASS_THROUGH_LAYERS = [
    "AbsVal",
    "BatchNorm",
    "Bias",
    "BNLL",
    "Clip",
    "Concat",
    "Dropout",
    "ELU",
    "Eltwise",
    "Exp",
    "LRN",
    "Log",
    "MVN",
    "PReLU",
    "Power",
    "ReLU",
    "Scale",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Split",
    "Swish",
    "TanH",
    "Threshold",
]

_LEGACY_SETTINGS = {"pad_h", "pad_w", "kernel_h", "kernel_w", "stride_h", "stride_w"}


class UndefinedMapException(NetError):
    """A layer that does not keep pixels in place has no coordinate map."""


class AxisMismatchException(NetError):
    """Two coordinate maps that act on different axes cannot follow each other."""


class CropError(NetError, AssertionError):
    """No Crop layer can do this. It is an AssertionError too, because that is what pycaffe raises."""


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Of a sliding kernel: the last axis before the spatial ones; stride, extent and padding, one value for each axis.

    The extent of a kernel counts dilation: `(kernel_size - 1) * dilation + 1`. Of Synopsys' pads of each side those
    before the map count. Raises UndefinedMapException without a
    kernel size, as for a global pooling, and CropError for the settings that end in `_h` and `_w`.
    """
    settings = {**fn.params, **fn.params.get("convolution_param", {}), **fn.params.get("pooling_param", {})}
    legacy = sorted(_LEGACY_SETTINGS & set(settings))
    if legacy:
        raise CropError(
            f"a {fn.type_name} layer has {', '.join(legacy)}: cropping does not support legacy _h/_w params; "
            "give kernel_size, stride and pad as lists [height, width]"
        )
    if "kernel_size" not in settings:
        raise UndefinedMapException(f"a {fn.type_name} layer without kernel_size has no coordinate map")

    def by_axis(name: str, default: int) -> np.ndarray:
        return np.array(settings.get(name, default), ndmin=1)

    extent = (by_axis("kernel_size", 1) - 1) * by_axis("dilation", 1) + 1
    pad = by_axis("pad", 0)
    if settings.get("pad_t") or settings.get("pad_l"):
        pad = np.array([settings.get("pad_t", 0), settings.get("pad_l", 0)])
    return settings.get("axis", 1), by_axis("stride", 1), extent, pad


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """The first axis that a Crop layer crops, and its offsets, one value or one for each axis from there."""
    settings = fn.params.get("crop_param", fn.params)
    return settings.get("axis", 2), np.array(settings.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> CoordMap:
    """The map from a layer's bottoms to its tops.

    A kernel of extent k, stride s and padding p has its output `y` centred on input `s * y + (k - 1) / 2 - p`;
    Deconvolution is the inverse. Raises UndefinedMapException for a layer that has none.
    """
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, extent, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (extent - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, extent, pad = conv_params(fn)
        return axis, stride, (extent - 1) / 2 - pad
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    if fn.type_name in PASS_THROUGH_LAYERS and not _acts_on_space(fn):
        return IDENTITY
    raise UndefinedMapException(f"a {fn.type_name} layer has no coordinate map")


def compose(base_map: CoordMap, next_map: CoordMap) -> CoordMap:
    """The map that applies `next_map` first and `base_map` to its result. Raises AxisMismatchException."""
    base_axis, base_scale, base_shift = base_map
    next_axis, next_scale, next_shift = next_map
    if base_axis is not None and next_axis is not None and base_axis != next_axis:
        raise AxisMismatchException(
            f"a coordinate map of the axes after {base_axis} cannot follow one of the axes after {next_axis}"
        )
    axis = next_axis if base_axis is None else base_axis
    return axis, base_scale * next_scale, base_scale * next_shift + base_shift


def inverse(coord_map: CoordMap) -> CoordMap:
    """The map back: from outputs to inputs."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> CoordMap:
    """The map from the coordinates of `top_from` to those of `top_to`, by way of a blob that both are computed from.

    If there are several such blobs, all of them are taken to give the same map. Raises NetError if there is none.
    """
    from_maps = dict(_ancestors(top_from))
    for ancestor, to_map in _ancestors(top_to):
        if ancestor in from_maps:
            return compose(to_map, inverse(from_maps[ancestor]))
    raise NetError(
        f"{top_from!r} and {top_to!r}: Could not compute map between tops; are they connected by spatial layers? "
        "Both must come from one blob by layers that keep pixels in place"
    )


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts `top_from` to the size of `top_to`, pixel over pixel.

    Raises CropError if their strides differ, or if no whole offset of at least 0 lays one over the other.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    who = f"crop of {top_from!r} to {top_to!r}"
    if not np.allclose(scale, 1):
        raise CropError(
            f"{who}: scale mismatch on crop (a = {scale}): a step in the one is a steps in the other, expected 1; "
            f"multiply the stride of the upsampling to {top_from!r} by {scale}"
        )
    offset = -np.atleast_1d(shift)
    nearest = np.round(offset).astype(int)
    legal = f"the nearest legal offset is {np.maximum(nearest, 0)}"
    if not np.allclose(offset, nearest, atol=1e-6):
        raise CropError(
            f"{who}: cannot crop noninteger offset (b = {shift}, the offset is -b); {legal}, off by part of a pixel: "
            "an upsampling kernel that is larger or smaller by one moves the map by half a pixel"
        )
    if (nearest < 0).any():
        raise CropError(
            f"{who}: cannot crop negative offset (b = {shift}, the offset is -b); {legal}: {top_from!r} begins "
            f"{-nearest.min()} pixels inside {top_to!r}, so pad the first convolution before it by that much more"
        )
    return L.Crop(top_from, top_to, crop_param={"axis": 2 if axis is None else axis + 1, "offset": nearest.tolist()})


def _acts_on_space(fn: Function) -> bool:
    """Whether a Concat or Slice joins or cuts along height or width, and so moves pixels."""
    if fn.type_name not in ("Concat", "Slice"):
        return False
    settings = {**fn.params, **fn.params.get(f"{fn.type_name.lower()}_param", {})}
    return settings.get("axis", 1) not in (0, 1)


def _ancestors(top: Top) -> Iterator[tuple[Top, CoordMap]]:
    """`top` and all blobs that a map connects with it, nearest first, each with the map from it to `top`."""
    maps = {top: IDENTITY}
    queue = deque([top])
    while queue:
        current = queue.popleft()
        yield current, maps[current]
        bottoms = current.fn.inputs[:1] if current.fn.type_name == "Crop" else current.fn.inputs
        try:
            step = coord_map(current.fn)
        except UndefinedMapException:
            continue
        for bottom in bottoms:
            if bottom not in maps:
                maps[bottom] = compose(maps[current], step)
                queue.append(bottom)
