"""Images, labels and depth from image files.

Images of any kind that Pillow reads become 8-bit RGB; labels must hold one class index per pixel. What cannot be used
is refused with the file's name: FileNotFoundError for a missing file, ValueError for an unusable one.
"""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")
"""What is read, whatever a file's name: Pillow would start Ghostscript for an EPS file that is called .jpg."""
IMAGE_ENDINGS = (".jpg", ".png", ".jpeg", ".JPG", ".JPEG", ".PNG")


def find_image(stem: str) -> str:
    """The path of the image file with this path but for its ending; stem + '.jpg' where there is none."""
    candidates = [stem + ending for ending in IMAGE_ENDINGS]
    return next(filter(os.path.exists, candidates), candidates[0])


def read_image(path: str) -> np.ndarray:
    """An image as uint8, height×width×3, RGB: gray is repeated, palettes looked up, transparency dropped, 16 bit
    scaled to 8, CMYK converted."""
    with _open(path) as image:
        if image.mode.startswith("I"):
            return _eight_bit(np.asarray(image), path)
        if image.mode == "F":
            raise ValueError(f"image '{path}' has floating-point values; save it with 8 or 16 bits per channel.")
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def read_label(path: str) -> np.ndarray:
    """A label image as integers, height×width: the palette's indices or the gray values, as they are stored."""
    with _open(path) as image:
        if len(image.getbands()) != 1 or image.mode == "F":
            raise ValueError(
                f"label '{path}' has mode {image.mode}, expected one class index per pixel (a palette or gray PNG). "
                "Convert its colours to class indices."
            )
        values = np.asarray(image)
    return values.astype(np.uint8) if values.dtype == bool else values


def read_depth(path: str) -> np.ndarray:
    """Depth in the unit of the file (NYUDv2: millimetres), float32, height×width, of a gray image with 16 bits or
    floating point. A pixel without depth, which the file has as 0, infinite or not a number, is NaN."""
    with _open(path) as image:
        if not image.mode.startswith(("I", "F")):
            raise ValueError(
                f"depth '{path}' has mode {image.mode}, expected a gray image with 16 bits or floating point. "
                "Save the depth itself, not a picture of it."
            )
        depth = np.array(image, np.float32)
    if (depth < 0).any():
        raise ValueError(f"depth '{path}' is {depth.min():g} somewhere, expected no less than 0. Fetch it again.")
    depth[(depth == 0) | np.isinf(depth)] = np.nan
    return depth


def _open(path: str) -> Image.Image:
    try:
        image = Image.open(path, formats=FORMATS)
    except FileNotFoundError as error:
        raise missing(path) from error
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"'{path}' is not an image that Pillow reads ({error}). Fetch it again.") from error
    try:
        image.load()
    except (OSError, SyntaxError) as error:
        image.close()
        raise ValueError(f"image '{path}' is damaged ({error}). Fetch it again.") from error
    return image


def missing(path: str) -> FileNotFoundError:
    """The error for a file that is not there."""
    return FileNotFoundError(
        f"there is no file '{os.path.abspath(path)}'. Put it there, or correct the list that names it."
    )


def _eight_bit(gray: np.ndarray, path: str) -> np.ndarray:
    """16-bit gray values, in whichever integer type, as 8-bit RGB."""
    if gray.min() < 0 or gray.max() > 65535:
        raise ValueError(
            f"image '{path}' has values {gray.min()} to {gray.max()}, expected at most 16 bits (0 to 65535). "
            "Save it with 8 or 16 bits per channel."
        )
    return np.repeat(np.round(gray / 257.0).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)
