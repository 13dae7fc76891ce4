"""Images, labels and depth from image files.

Images of any kind that Pillow reads become 8-bit RGB; labels must hold one class index per pixel. Pictures are turned
upright as their EXIF orientation says, unless they are wanted as they are stored. What cannot be used is refused with
the file's name: FileNotFoundError for a missing file, ValueError for an unusable one.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fcn_caffe.data_layers.segdata import own_pictures

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")
"""What is read, whatever a file's name: Pillow would start Ghostscript for an EPS file that is called .jpg."""
DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError, RuntimeError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""What Pillow raises for damaged files of one format or another."""
_SUFFIXES = ("jpg", "png", "jpeg", "bmp", "tif", "tiff", "webp", "gif", "ppm", "pgm")
ENDINGS = tuple(f".{suffix}" for suffix in _SUFFIXES)
"""Of image files, in lower case."""
UNREAD = (".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".psd")
"""Of pictures that are not read."""
IMAGE_ENDINGS = tuple(f".{form}" for suffix in _SUFFIXES for form in (suffix, suffix.upper(), suffix.capitalize()))
LABEL_ENDINGS = (".png", ".PNG", ".Png")

_ORIENTATION = 0x0112
_TRANSPOSE: Any = getattr(Image, "Transpose", Image)
"""Where Pillow has the names of its transpositions: an enumeration since 9.1."""
_UPRIGHT = {
    2: _TRANSPOSE.FLIP_LEFT_RIGHT,
    3: _TRANSPOSE.ROTATE_180,
    4: _TRANSPOSE.FLIP_TOP_BOTTOM,
    5: _TRANSPOSE.TRANSPOSE,
    6: _TRANSPOSE.ROTATE_270,
    7: _TRANSPOSE.TRANSVERSE,
    8: _TRANSPOSE.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""
_BACK = {**_UPRIGHT, 6: _TRANSPOSE.ROTATE_90, 8: _TRANSPOSE.ROTATE_270}
_ON_ITS_SIDE = (5, 6, 7, 8)


class Looks(NamedTuple):
    """What an image file says of itself: width and height as stored, mode and format in Pillow, EXIF orientation (1:
    upright)."""

    size: tuple[int, int]
    mode: str
    orientation: int
    form: str

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (self.size[1], self.size[0]) if self.orientation in _ON_ITS_SIDE else self.size

    @property
    def size_tells(self) -> bool:
        """Whether the size of a label tells if it was made on the upright picture or on the stored one."""
        return self.orientation == 1 or self.upright_size != self.size


def find_image(stem: str) -> str:
    """The path of the image file with this path but for its ending; stem + '.jpg' where there is none.

    What this project's tools wrote beside an image is taken only if there is nothing else.
    """
    result = None
    for path in filter(os.path.exists, (stem + ending for ending in IMAGE_ENDINGS)):
        if not own_pictures.is_own(path):
            return path
        result = result or path
    return result or stem + IMAGE_ENDINGS[0]


def find_label(stem: str) -> str:
    """The path of the label image with this path but for its ending; stem + '.png' where there is none."""
    candidates = [stem + ending for ending in LABEL_ENDINGS]
    return next(filter(os.path.exists, candidates), candidates[0])


def read_image(path: str, upright: bool = True) -> np.ndarray:
    """An image as uint8, height×width×3, RGB: gray is repeated, palettes looked up, transparency dropped, 16 bit
    scaled to 8, CMYK converted."""
    with open_image(path, upright) as image:
        return rgb(image, f"image '{path}'")


def rgb(image: Image.Image, what: str) -> np.ndarray:
    """The same of a decoded image. what: what it is called in errors. Raises ValueError for values that are no colours,
    which Pillow itself would cut off at 255."""
    if image.mode.startswith("I"):
        return _eight_bit(np.asarray(image), what)
    if image.mode == "F":
        raise ValueError(f"{what} has floating-point values; save it with 8 or 16 bits per channel.")
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def read_label(path: str, upright: bool = True) -> np.ndarray:
    """A label image as integers, height×width: the palette's indices or the gray values, as they are stored."""
    with open_image(path, upright) as image:
        if len(image.getbands()) != 1 or image.mode == "F":
            raise ValueError(
                f"label '{path}' has mode {image.mode}, expected one class index per pixel (a palette or gray PNG). "
                "Convert its colours to class indices."
            )
        values = np.asarray(image)
    return values.astype(np.uint8) if values.dtype == bool else values


def read_colours(path: str, upright: bool = True) -> np.ndarray:
    """A label image whose classes are colours, as uint8, height×width×3, RGB. As `read_image`, but 16-bit gray that
    stays below 256 is taken as it is: masks of 0 and 255 are often saved so, and scaled they would be 0 and 1."""
    with open_image(path, upright) as image:
        gray = np.asarray(image) if image.mode.startswith("I") else None
    if gray is None or not 0 <= gray.min() <= gray.max() <= 255:
        return read_image(path, upright)
    return np.repeat(gray.astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def read_depth(path: str) -> np.ndarray:
    """Depth in the unit of the file (NYUDv2: millimetres), float32, height×width, of a gray image with 16 bits or
    floating point. A pixel without depth, which the file has as 0, infinite or not a number, is NaN."""
    with open_image(path) as image:
        if not image.mode.startswith(("I", "F")):
            raise ValueError(
                f"depth '{path}' has mode {image.mode}, expected a gray image with 16 bits or floating point. "
                "Save the depth itself, not a picture of it."
            )
        depth = np.array(image, np.float32)
    if (depth < 0).any():
        raise ValueError(f"depth '{path}' is {depth.min():g} somewhere, expected no less than 0. Write it again.")
    depth[(depth == 0) | np.isinf(depth)] = np.nan
    return depth


def look(path: str) -> Looks:
    """What the head of an image file says; its pixels are not decoded. Raises FileNotFoundError and ValueError.

    Of TIFF, whose size Pillow gives as that of the upright picture or of the stored one, it says that it is upright.
    """
    with _opened(path) as image:
        form = image.format or "unknown"
        return Looks(image.size, image.mode, 1 if form == "TIFF" else _orientation(image), form)


def open_image(path: str, upright: bool = True) -> Image.Image:
    """The decoded image in a file, upright or as it is stored."""
    image = _opened(path)
    orientation = _orientation(image)
    try:
        image.load()
    except DAMAGED as error:
        image.close()
        raise ValueError(f"image '{path}' is damaged ({error}). Replace it by a whole one.") from error
    if image.format == "TIFF":  # Pillow has turned it as it loaded it; until Pillow 10 its EXIF data do not say so
        turn = None if upright else _BACK.get(orientation)
    else:
        turn = _UPRIGHT.get(orientation) if upright else None
    return image if turn is None else image.transpose(turn)


def _opened(path: str) -> Image.Image:
    try:
        return Image.open(path, formats=FORMATS)
    except FileNotFoundError as error:
        raise missing(path) from error
    except IsADirectoryError as error:
        raise ValueError(f"'{path}' is a folder, expected an image file. Name the files in it.") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"image '{path}' is too large ({error}). Scale it down, or cut it into parts.") from error
    except DAMAGED as error:
        raise ValueError(
            f"'{path}' is not an image that Pillow reads ({_reason(error)}). Replace it by one that is."
        ) from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or none that can be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except (*DAMAGED, ArithmeticError, AttributeError):
        return 1  # EXIF data are damaged, the pixels need not be
    return value if value in _UPRIGHT else 1


def missing(path: str) -> FileNotFoundError:
    """The error for a file that is not there."""
    return FileNotFoundError(f"there is no file '{os.path.abspath(path)}'. Put it there, or correct its name.")


def _eight_bit(gray: np.ndarray, what: str) -> np.ndarray:
    """16-bit gray values, in whichever integer type, as 8-bit RGB."""
    if gray.min() < 0 or gray.max() > 65535:
        raise ValueError(
            f"{what} has values {gray.min()} to {gray.max()}, expected at most 16 bits (0 to 65535). "
            "Save it with 8 or 16 bits per channel."
        )
    return np.repeat(np.round(gray / 257.0).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def _reason(error: Exception) -> str:
    """What an error says, of the system's own without number and path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
