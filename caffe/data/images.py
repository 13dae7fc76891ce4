"""Image files as cv::imread, cv::imdecode and cv::resize give them: height × width × channels, 8 bits, BGR.

Pillow decodes; what comes out is OpenCV's, number by number, in colour and in grey, wherever both use the same JPEG
library (libjpeg-turbo). With another one, a JPEG differs by a grey level or two. A truncated file is refused, where
OpenCV fills the rest with grey; GIF is read, where OpenCV refuses it; a PNG's gamma is not applied.
"""

import io
import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from caffe.errors import DataError
from caffe.formats.mapped import PathLike
from caffe.formats.pictures import FORMATS, UNREADABLE

_GREY = ("1", "L", "LA")
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I")
_RESIZE_BITS = 11


def read(path: PathLike, color: bool | None = True) -> np.ndarray:
    """The image in a file, H×W×C uint8. color: True 3 channels (BGR), False 1 (grey), None as many as the file has.

    Raises DataError for a file that is missing or that cannot be decoded.
    """
    return decode(content_of(path), color, os.fspath(path))


def content_of(path: PathLike) -> bytes:
    """The bytes of an image file. Raises DataError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DataError(
            f"Could not load {os.fspath(path)}: {error.strerror}. Correct the name, or the folder it is relative to."
        ) from error
    except ValueError as error:
        raise DataError(f"Could not load {os.fspath(path)!r}: {error}. Correct the name.") from error


def decode(content: bytes, color: bool | None, name: str) -> np.ndarray:
    """The image in the bytes of a file, as `read` gives it; `name` says in errors where they come from."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return np.ascontiguousarray(_unchanged(image) if color is None else _decoded(image, color))
    except UnidentifiedImageError as error:
        raise DataError(
            f"Could not load {name}: it is of no known format. Expected a whole image file (JPEG, PNG, BMP, …)."
            " Replace the file."
        ) from error
    except UNREADABLE as error:
        raise DataError(
            f"Could not load {name}: {error or type(error).__name__}. Expected a whole image file (JPEG, PNG, BMP, …)."
            " Replace the file."
        ) from error


def _decoded(image: Image.Image, color: bool) -> np.ndarray:
    if not color:
        image.draft("L", image.size)
    upright = image if image.format == "TIFF" else ImageOps.exif_transpose(image)  # Pillow turns TIFF as it loads it
    if upright.mode in _SIXTEEN_BITS:
        grey = (np.asarray(upright) >> 8).astype(np.uint8)[..., None]
        return np.repeat(grey, 3, axis=2) if color else grey
    if upright.mode in _GREY:
        grey = np.asarray(upright.convert("L"))[..., None]
        return np.repeat(grey, 3, axis=2) if color else grey
    rgb = _cmyk_to_rgb(upright) if upright.mode == "CMYK" else np.asarray(upright.convert("RGB"))
    return rgb[..., ::-1] if color else _grey_of(rgb, is_png=image.format == "PNG")


def _cmyk_to_rgb(image: Image.Image) -> np.ndarray:
    inks = 255 - np.asarray(image).astype(np.int32)
    black = inks[..., 3:]
    return (black - ((255 - inks[..., :3]) * black >> 8)).astype(np.uint8)


def _grey_of(rgb: np.ndarray, *, is_png: bool) -> np.ndarray:
    """0.299 R + 0.587 G + 0.114 B in the fixed-point arithmetic of libpng or of OpenCV."""
    weights, rounding, bits = ((9797, 19234, 3737), 0, 15) if is_png else ((4899, 9617, 1868), 1 << 13, 14)
    return ((rgb.astype(np.int32) @ np.array(weights, np.int32) + rounding) >> bits).astype(np.uint8)[..., None]


def _unchanged(image: Image.Image) -> np.ndarray:
    """As cv::IMREAD_UNCHANGED: alpha is kept, nothing is turned upright, a palette is looked up."""
    if image.mode in _SIXTEEN_BITS:
        raise ValueError("Image data type must be unsigned byte; this one has 16 bits or more per channel")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None]
    if image.mode == "CMYK":
        return _cmyk_to_rgb(image)[..., ::-1]
    has_alpha = image.mode in ("LA", "RGBA") or "transparency" in image.info
    pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An H×W×C uint8 image in another size, bilinear as cv::resize (INTER_LINEAR): half-pixel centres, no smoothing
    before shrinking, fixed-point weights of 11 bits; exactly half the size is the mean of 2×2 pixels."""
    if image.shape[:2] == (height, width):
        return image
    if image.shape[:2] == (2 * height, 2 * width):
        blocks = image.reshape(height, 2, width, 2, -1).astype(np.int32)
        return ((blocks.sum((1, 3)) + 2) >> 2).astype(np.uint8)
    left, right, near, far = _taps(image.shape[1], width, clamp_weights=True)
    rows = np.take(image, left, axis=1) * near[:, None]
    rows += np.take(image, right, axis=1) * far[:, None]
    rows >>= 4
    above, below, near, far = _taps(image.shape[0], height, clamp_weights=False)
    upper = np.take(rows, above, axis=0)
    upper *= near[:, None, None]
    upper >>= 16
    lower = np.take(rows, below, axis=0)
    lower *= far[:, None, None]
    lower >>= 16
    upper += lower
    upper += 2
    upper >>= 2
    return upper.astype(np.uint8)


def _taps(size: int, wanted: int, *, clamp_weights: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each of the `wanted` places: the two source places, and their weights as 11-bit integers."""
    places = ((np.arange(wanted) + 0.5) * (size / wanted) - 0.5).astype(np.float32)
    first = np.floor(places).astype(np.int64)
    part = places - first.astype(np.float32)
    if clamp_weights:
        part[(first < 0) | (first >= size - 1)] = 0
        first = first.clip(0, size - 1)
    one = np.float32(1 << _RESIZE_BITS)
    weights = [np.rint(values * one).astype(np.int32) for values in (np.float32(1) - part, part)]
    return first.clip(0, size - 1), (first + 1).clip(0, size - 1), weights[0], weights[1]
