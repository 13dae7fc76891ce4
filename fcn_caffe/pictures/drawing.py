"""Labels as pictures: VOC's palette, overlays, and grids for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np
from PIL import Image, ImageDraw

from fcn_caffe.pictures import lettering
from fcn_caffe.pictures.outputs import save_picture

RESAMPLING: Any = getattr(Image, "Resampling", Image)
"""Where Pillow has the names of its filters: an enumeration since 9.1."""


CELL_HEIGHT = 240
"""Pixels that each picture of a grid has at least."""
HATCH = 6
_BEFORE_AFTER = (slice(None, -1), slice(1, None))


def palette(size: int = 256) -> np.ndarray:
    """VOC's colours, size×3: the bits of the class number spread over red, green and blue."""
    colours = np.zeros((size, 3), np.uint8)
    for number in range(size):
        rest = number
        for shift in range(7, -1, -1):
            for channel in range(3):
                colours[number, channel] |= (rest >> channel & 1) << shift
            rest >>= 3
    return colours


def label_image(labels: np.ndarray, colours: np.ndarray | None = None) -> Image.Image:
    """A map of class numbers (height×width) as a palette image; `colours` are VOC's unless given, 256×3.

    Raises ValueError for a class above 255.
    """
    if labels.size and labels.max() > 255:
        raise ValueError(
            f"a pixel has the class {labels.max()}, expected at most 255, which an image of class numbers holds."
            " Take the scores instead (--scores)."
        )
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette((palette() if colours is None else colours).tobytes())
    return image


def save_labels(labels: np.ndarray, path: Path, colours: np.ndarray | None = None) -> None:
    """Write class numbers, height×width, as a palette PNG; the folder is made. colours: classes×3 uint8, RGB."""
    save_picture(label_image(labels, colours), path)


def overlay(
    image: Image.Image,
    labels: np.ndarray,
    colours: np.ndarray | None = None,
    strength: float = 0.6,
    background: int | None = 0,
) -> Image.Image:
    """The image with its classes coloured, but for the one that is its background."""
    painted = np.asarray(label_image(labels, colours).convert("RGB"), np.float32)
    pixels = np.asarray(image.convert("RGB"), np.float32)
    seen = np.full(labels.shape, True) if background is None else labels != background
    mix = np.where(seen[..., None], (1 - strength) * pixels + strength * painted, pixels)
    return Image.fromarray(mix.astype(np.uint8))


def outlined(image: Image.Image, labels: np.ndarray) -> Image.Image:
    """The image with a line between classes, white on one side and black on the other, so that it shows everywhere."""
    pixels = np.array(image.convert("RGB"))
    values = labels.astype(np.int64)
    for axis in (0, 1):
        step = np.diff(values, axis=axis)
        first, second = (tuple(part if each == axis else slice(None) for each in (0, 1)) for part in _BEFORE_AFTER)
        pixels[first][step > 0], pixels[second][step > 0] = 0, 255
        pixels[first][step < 0], pixels[second][step < 0] = 255, 0
    return Image.fromarray(pixels)


def hatched(image: Image.Image, where: np.ndarray) -> Image.Image:
    """The image with stripes, dark and light, where a mask of its size says so."""
    y, x = np.indices(where.shape)
    stripe = np.where((x + y) // HATCH % 2, 235, 20)[..., None]
    pixels = np.asarray(image.convert("RGB"), np.float32)
    return Image.fromarray(np.where(where[..., None], 0.4 * pixels + 0.6 * stripe, pixels).astype(np.uint8))


def class_colours(colours: Mapping[tuple[int, int, int], int]) -> np.ndarray:
    """The colours of 256 labels, 256×3 uint8: those of a list of classes (of several, the first), else VOC's."""
    found = palette()
    for colour, cls in reversed(list(colours.items())):
        found[cls] = colour
    return found


def grid(
    rows: list[list[Image.Image]],
    titles: list[str],
    height: int = CELL_HEIGHT,
    captions: Optional[list[list[str]]] = None,
) -> Image.Image:
    """Pictures in rows under column titles, all of one height; each with a caption below it, if there are some."""
    margin, line = 8, lettering.SIZE + 6
    step = height + margin + (line if captions else 0)
    scaled = [[_to_height(picture, height) for picture in row] for row in rows]
    widths = [max(row[column].width for row in scaled) for column in range(len(titles))]
    canvas = Image.new("RGB", (sum(widths) + margin * (len(widths) + 1), line + margin + step * len(rows)), "white")
    draw = ImageDraw.Draw(canvas)
    left = margin
    for column, title in enumerate(titles):
        lettering.write(draw, (left, 2), lettering.shortened(title, widths[column]))
        for index, row in enumerate(scaled):
            top = line + margin // 2 + index * step
            canvas.paste(row[column], (left, top))
            if captions:
                caption = lettering.shortened(captions[index][column], widths[column])
                lettering.write(draw, (left, top + height), caption)
        left += widths[column] + margin
    return canvas


def label_picture(labels: np.ndarray, colours: np.ndarray | None = None) -> Image.Image:
    """Class numbers, height×width, as a picture to look at: lines between classes, void (255) hatched."""
    picture = label_image(labels, colours).convert("RGB")
    return outlined(hatched(picture, np.asarray(labels) == len(palette()) - 1), np.asarray(labels))


def _to_height(picture: Image.Image, height: int) -> Image.Image:
    width = max(1, round(picture.width * height / picture.height))
    resample = RESAMPLING.NEAREST if picture.mode == "P" else RESAMPLING.BICUBIC
    return picture.resize((width, height), resample).convert("RGB")
