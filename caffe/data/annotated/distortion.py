"""Images with other colours at random, and images on a larger ground (SSD: src/caffe/util/im_transforms.cpp).

Images are H×W×C uint8, BGR; what is computed between two steps is rounded to 8 bits, as OpenCV does.
"""

from typing import Any

import numpy as np

from caffe.data.annotated.sampling import kept, uniform
from caffe.data.random import Random
from caffe.errors import NetError

HALF_TURN = 180
"""Hues are halves of degrees: OpenCV's, in 8 bits."""
SAME = 1e-3
"""Factors that are closer to 1 change nothing."""
SAME_RATIO = 1e-2


def check(transform: Any, owner: str) -> None:
    """Raise NetError for a distort_param or expand_param that says what cannot be."""
    param = transform.distort_param
    for name in ("contrast", "saturation"):
        low, high = getattr(param, f"{name}_lower"), getattr(param, f"{name}_upper")
        if getattr(param, f"{name}_prob") and not 0 <= low <= high:
            raise NetError(f"{owner}: {name}_lower is {low:g}, {name}_upper {high:g}. Upper must be >= lower, from 0.")
    for name in ("brightness", "hue"):
        if getattr(param, f"{name}_delta") < 0:
            raise NetError(
                f"{owner}: {name}_delta is {getattr(param, f'{name}_delta'):g}, must be non-negative. Correct it."
            )
    if transform.expand_param.max_expand_ratio < 1:
        raise NetError(
            f"{owner}: max_expand_ratio is {transform.expand_param.max_expand_ratio:g}, expected at least 1."
            " Correct it."
        )


def distorted(image: np.ndarray, param: Any, draw: Random) -> np.ndarray:
    """An image with another brightness, contrast, saturation and hue, or with channels in another order, at random."""
    steps = [_contrast, _saturation, _hue] if uniform(draw, 0, 1) > 0.5 else [_saturation, _hue, _contrast]
    for step in (_brightness, *steps, _order):
        image = step(image, param, draw)
    return image


def _brightness(image: np.ndarray, param: Any, draw: Random) -> np.ndarray:
    if uniform(draw, 0, 1) >= param.brightness_prob:
        return image
    return _bytes(image + np.float32(uniform(draw, -param.brightness_delta, param.brightness_delta)))


def _contrast(image: np.ndarray, param: Any, draw: Random) -> np.ndarray:
    if uniform(draw, 0, 1) >= param.contrast_prob:
        return image
    factor = uniform(draw, param.contrast_lower, param.contrast_upper)
    return _bytes(image * np.float32(factor)) if abs(factor - 1) > SAME else image


def _saturation(image: np.ndarray, param: Any, draw: Random) -> np.ndarray:
    if uniform(draw, 0, 1) >= param.saturation_prob or image.shape[2] != 3:
        return image
    factor = uniform(draw, param.saturation_lower, param.saturation_upper)
    if abs(factor - 1) <= SAME:
        return image
    hsv = to_hsv(image)
    hsv[..., 1] = _bytes(hsv[..., 1] * np.float32(factor))
    return from_hsv(hsv)


def _hue(image: np.ndarray, param: Any, draw: Random) -> np.ndarray:
    if uniform(draw, 0, 1) >= param.hue_prob or image.shape[2] != 3:
        return image
    hsv = to_hsv(image)
    hsv[..., 0] = _bytes(hsv[..., 0] + np.float32(uniform(draw, -param.hue_delta, param.hue_delta)))
    return from_hsv(hsv)


def _order(image: np.ndarray, param: Any, draw: Random) -> np.ndarray:
    if uniform(draw, 0, 1) >= param.random_order_prob:
        return image
    order = list(range(image.shape[2]))
    draw.shuffle(order)
    return np.ascontiguousarray(image[..., order])


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def to_hsv(image: np.ndarray) -> np.ndarray:
    """BGR → hue in halves of degrees, saturation and value, all uint8 (OpenCV's BGR2HSV, to one level)."""
    blue, green, red = np.moveaxis(image.astype(np.float32), 2, 0)
    value = image.max(axis=2).astype(np.float32)
    span = value - image.min(axis=2)
    safe = np.where(span > 0, span, 1)
    sixth = np.where(
        value == red, (green - blue) / safe, np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    )
    hue = np.where(span > 0, np.rint(sixth * 30), 0) % HALF_TURN
    saturation = span / np.where(value > 0, value, 1) * 255
    return np.stack([hue.astype(np.uint8), _bytes(saturation), value.astype(np.uint8)], axis=2)


def from_hsv(hsv: np.ndarray) -> np.ndarray:
    """The inverse of `to_hsv`; hues beyond a turn go round."""
    hue, saturation, value = np.moveaxis(hsv.astype(np.float32), 2, 0)
    saturation = saturation / 255
    channels = []
    for shift in (1, 3, 5):  # blue, green, red
        place = (shift + hue / 30) % 6
        channels.append(value * (1 - saturation * np.minimum(place, 4 - place).clip(0, 1)))
    return _bytes(np.stack(channels, axis=2))


def expanded(
    image: np.ndarray, rows: np.ndarray, transform: Any, ground: np.ndarray, draw: Random
) -> tuple[np.ndarray, np.ndarray]:
    """The image somewhere on a larger one of the colour `ground`, and its boxes there; at random, both as they are."""
    param = transform.expand_param
    if uniform(draw, 0, 1) > param.prob or abs(param.max_expand_ratio - 1) < SAME_RATIO:
        return image, rows
    ratio = uniform(draw, 1, param.max_expand_ratio)
    height, width = image.shape[:2]
    high, wide = int(height * ratio), int(width * ratio)
    top, left = int(uniform(draw, 0, high - height)), int(uniform(draw, 0, wide - width))
    larger = np.empty((high, wide, image.shape[2]), np.uint8)
    larger[:] = _bytes(ground)
    larger[top : top + height, left : left + width] = image
    part = np.array([-left / width, -top / height, (wide - left) / width, (high - top) / height], np.float32)
    return larger, kept(rows, part, transform.emit_constraint if transform.HasField("emit_constraint") else None)
