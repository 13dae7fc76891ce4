"""Images and labels from files.

Images of any kind that Pillow reads become 8-bit RGB; labels must hold one class index per pixel. What cannot be used
is refused with the file's name: FileNotFoundError for a missing file, ValueError for an unusable one.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence

import numpy as np
import scipy.io.matlab
from PIL import Image

IMAGE_ENDINGS = (".jpg", ".png", ".jpeg", ".JPG", ".JPEG", ".PNG")

_DAMAGED_MAT = (
    *(ValueError, TypeError, KeyError, IndexError, NotImplementedError, OSError, zlib.error),
    getattr(scipy.io.matlab, "MatReadError", ValueError),  # SciPy before 1.8 keeps it elsewhere
)


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


def read_mat_label(path: str, field: Sequence[str]) -> np.ndarray:
    """A label from a MATLAB file as integers, height×width; `field` leads to it, such as ("GTcls", "Segmentation")."""
    if not os.path.exists(path):
        raise _missing(path)
    try:
        value = scipy.io.loadmat(path)
    except _DAMAGED_MAT as error:
        raise ValueError(f"label '{path}' is not a MATLAB file that SciPy reads ({error}). Fetch it again.") from error
    for depth, name in enumerate(field):
        known = [key for key in (value if isinstance(value, dict) else value.dtype.names or ()) if key[0] != "_"]
        if name not in known:
            raise ValueError(
                f"label '{path}' has no field {'.'.join(field[: depth + 1])}; there is {', '.join(known) or 'none'}. "
                "Is it of this data set?"
            )
        value = value[name]
        if value.dtype == object and value.size == 1:
            value = value.item()
    values = np.asarray(value)
    if values.ndim != 2 or values.dtype.kind not in "iuf":
        raise ValueError(
            f"label '{path}': {'.'.join(field)} is {values.dtype} of shape {values.shape}, expected a map."
        )
    return values


def _open(path: str) -> Image.Image:
    try:
        image = Image.open(path)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"'{path}' is not an image that Pillow reads ({error}). Fetch it again.") from error
    try:
        image.load()
    except (OSError, SyntaxError) as error:
        image.close()
        raise ValueError(f"image '{path}' is damaged ({error}). Fetch it again.") from error
    return image


def _missing(path: str) -> FileNotFoundError:
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
