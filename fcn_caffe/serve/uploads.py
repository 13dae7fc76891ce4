"""Decodes an uploaded image; problems become HTTP statuses."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from http import HTTPStatus

from PIL import Image, ImageOps

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.pictures import drawing


class Refused(Exception):
    """A request that cannot be answered: the status, and the message for the client."""

    def __init__(self, status: HTTPStatus, words: str):
        super().__init__(words)
        self.status, self.words = status, words


@dataclass(frozen=True)
class Limits:
    """size: of an upload in bytes. pixels: of an image. side: to which images are scaled down, in pixels along the
    longer one. waiting: requests that may be at hand at once."""

    size: int = 20_000_000
    pixels: int = 50_000_000
    side: int = 1000
    waiting: int = 8


def picture(content: bytes, limits: Limits, upright: bool) -> Image.Image:
    """The image in a file, RGB, upright unless it is wanted as stored, and not larger than `limits.side`.

    Raises Refused for what is no image, a damaged one, and one of too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # there is a limit of our own
            image = Image.open(io.BytesIO(content), formats=files.FORMATS)
    except Image.DecompressionBombError as error:
        words = f"The image has too many pixels, at most {limits.pixels:,} are taken. Send a smaller one."
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words) from error
    except files.DAMAGED as error:
        kinds = ", ".join(files.FORMATS)
        words = f"This is no image that can be read. Send one of {kinds}."
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, words) from error
    if image.width * image.height > limits.pixels:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The image has {image.width} × {image.height} pixels, at most {limits.pixels:,} are taken. Send a smaller "
            "one.",
        )
    try:
        image.draft("RGB", (2 * limits.side, 2 * limits.side))
        turned = ImageOps.exif_transpose(image) if upright and image.format != "TIFF" else image
        turned = turned or image
        turned.load()
    except files.DAMAGED as error:
        words = f"The image is damaged ({error}). Send it again."
        raise Refused(HTTPStatus.BAD_REQUEST, words) from error
    try:
        found = Image.fromarray(files.rgb(turned, "The image"))
    except ValueError as error:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error)) from error
    except files.DAMAGED as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The image is damaged ({error}). Send it again.") from error
    found.thumbnail((limits.side, limits.side), drawing.RESAMPLING.BILINEAR)
    return found
