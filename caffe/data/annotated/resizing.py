"""Images in the size that a net takes, and boxes there (SSD: src/caffe/util/im_transforms.cpp).

OpenCV's ways of interpolation: bilinear in its own fixed-point arithmetic, the others to one grey level.
"""

from typing import Any

import numpy as np

from caffe.data import images
from caffe.data.random import Random
from caffe.errors import NetError
from caffe.proto import caffe_pb2

Resize = caffe_pb2.ResizeParameter
PADS = {Resize.CONSTANT: "constant", Resize.MIRRORED: "reflect", Resize.REPEAT_NEAREST: "edge"}
CUBIC_SHARPNESS = -0.75
LOBES = 4
"""Of Lanczos' window, to each side."""


def check(param: Any, channels: int, owner: str) -> None:
    """Raise NetError for a ResizeParameter that cannot work."""
    if not param.height or not param.width:
        raise NetError(f"{owner}: resize_param has height {param.height} and width {param.width}. Set both.")
    if len(param.pad_value) not in (0, 1, channels):
        raise NetError(
            f"{owner}: Specify either 1 pad_value or as many as channels: {channels}, not {len(param.pad_value)}."
            " Correct them."
        )


def size_of(param: Any, height: int, width: int) -> tuple[int, int]:
    """The height and width that an image of this size is resized to, before it is padded."""
    aspect, wanted = width / height, param.width / param.height
    if param.resize_mode == Resize.WARP or aspect == wanted:
        return param.height, param.width
    if (aspect > wanted) == (param.resize_mode == Resize.FIT_LARGE_SIZE_AND_PAD):
        return max(int(param.width / aspect), 1), param.width
    return param.height, max(int(aspect * param.height), 1)


def resized(image: np.ndarray, param: Any, draw: Random) -> np.ndarray:
    """An H×W×C uint8 image as a net takes it; the interpolation is one of interp_mode, at random."""
    modes = list(param.interp_mode) or [Resize.LINEAR]
    mode = modes[draw.below(len(modes))] if len(modes) > 1 else modes[0]
    image = interpolated(image, *size_of(param, *image.shape[:2]), mode)
    if param.resize_mode != Resize.FIT_LARGE_SIZE_AND_PAD:
        return image
    rest = [wanted - have for wanted, have in zip((param.height, param.width), image.shape[:2], strict=True)]
    pads = [(each // 2, each - each // 2) for each in rest]
    if param.pad_mode != Resize.CONSTANT:
        return np.pad(image, [*pads, (0, 0)], mode=PADS[param.pad_mode])  # type: ignore[call-overload]
    result = np.empty((param.height, param.width, image.shape[2]), np.uint8)
    result[:] = np.rint(np.array(list(param.pad_value) or [0], np.float32)).clip(0, 255).astype(np.uint8)
    (top, lower), (left, right) = pads
    result[top : param.height - lower, left : param.width - right] = image
    return result


def boxes_resized(boxes: np.ndarray, param: Any, height: int, width: int) -> np.ndarray:
    """Boxes (n, 4), shares of an image of this size, as shares of what `resized` makes of it."""
    if param.resize_mode != Resize.FIT_LARGE_SIZE_AND_PAD:
        return boxes.clip(0, 1)
    share = param.width / param.height * height / width  # of the net's shape to the image's
    extent = np.array([1, share] if share < 1 else [1 / share, 1], np.float32)
    return boxes.clip(0, 1) * np.tile(extent, 2) + np.tile((1 - extent) / 2, 2)


def interpolated(image: np.ndarray, height: int, width: int, mode: int) -> np.ndarray:
    """An H×W×C uint8 image in another size, by one of ResizeParameter's ways."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    if mode == Resize.LINEAR:
        return images.resize(image, height, width)
    weights = _beside if mode == Resize.AREA and not shrinks else _weights
    rows, columns = (weights(have, wanted, mode) for have, wanted in zip(image.shape[:2], (height, width), strict=True))
    values = np.einsum("hi,wj,ijc->hwc", rows, columns, image.astype(np.float32), optimize=True)
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _weights(size: int, wanted: int, mode: int) -> np.ndarray:
    """(wanted, size): how much each pixel counts in each new one, along an axis."""
    scale = size / wanted
    if mode == Resize.NEAREST:
        return np.eye(size, dtype=np.float32)[(np.arange(wanted) * scale).astype(np.int64).clip(max=size - 1)]
    if mode == Resize.AREA:
        edges = np.arange(wanted + 1) * scale
        low, high = edges[:-1, None], edges[1:, None]
        shares = np.minimum(high, np.arange(1, size + 1)) - np.maximum(low, np.arange(size))
        return (shares.clip(min=0) / scale).astype(np.float32)
    reach = 2 if mode == Resize.CUBIC else LOBES
    places = (np.arange(wanted) + 0.5) * scale - 0.5
    first = np.floor(places).astype(np.int64)
    taps = first[:, None] + np.arange(1 - reach, reach + 1)
    away = np.abs(places[:, None] - taps)
    values = _cubic(away) if mode == Resize.CUBIC else np.where(away < reach, np.sinc(away) * np.sinc(away / reach), 0)
    found = np.zeros((wanted, size), np.float32)
    rows = np.broadcast_to(np.arange(wanted)[:, None], taps.shape)
    np.add.at(found, (rows, taps.clip(0, size - 1)), values / values.sum(axis=1, keepdims=True))
    return found


def _beside(size: int, wanted: int, mode: int) -> np.ndarray:
    """(wanted, size): OpenCV's AREA where an axis grows; a new pixel that reaches into two has a share of each."""
    first = np.floor(np.arange(wanted) * (size / wanted)).astype(np.int64)
    share = np.arange(1, wanted + 1) - (first + 1) * (wanted / size)
    share = np.where(share <= 0, 0, share - np.floor(share))
    found = np.zeros((wanted, size), np.float32)
    np.add.at(found, (np.arange(wanted), first), 1 - share)
    np.add.at(found, (np.arange(wanted), (first + 1).clip(max=size - 1)), share)
    return found


def _cubic(away: np.ndarray) -> np.ndarray:
    a = CUBIC_SHARPNESS
    near = ((a + 2) * away - (a + 3)) * away**2 + 1
    far = ((a * away - 5 * a) * away + 8 * a) * away - 4 * a
    return np.where(away <= 1, near, np.where(away < 2, far, 0))
