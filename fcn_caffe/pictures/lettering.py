"""Text in pictures."""

from __future__ import annotations

import functools
from typing import Any

from PIL import Image, ImageDraw, ImageFont

SIZE = 15
LACKING = {"…": "...", "×": "x", "–": "-"}
"""Characters that Pillow's font lacks, and their replacements."""


@functools.cache
def font(size: int = SIZE) -> Any:
    """Pillow's own font; where Pillow is old, or made without FreeType, in the one size that it has."""
    try:
        return ImageFont.load_default(size)
    except (TypeError, ImportError, OSError):
        return ImageFont.load_default()


def width(text: str, size: int = SIZE) -> int:
    """How many pixels wide a text is."""
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    return int(draw.textlength(_drawable(text, size), font=font(size))) + 1


def write(draw: Any, place: tuple[int, int], text: str, size: int = SIZE, fill: Any = "black") -> None:
    """Write a line of text whose upper left corner is at a place."""
    draw.text(place, _drawable(text, size), fill=fill, font=font(size))


def shortened(text: str, most: int, size: int = SIZE) -> str:
    """The text, or as much of its beginning as is no wider than `most` pixels, with an ellipsis."""
    if width(text, size) <= most:
        return text
    while text and width(text + "…", size) > most:
        text = text[:-1]
    return text + "…"


def _drawable(text: str, size: int) -> str:
    """The text, with what Pillow's font cannot draw replaced."""
    for sign, instead in LACKING.items():
        text = text.replace(sign, instead)
    if isinstance(font(size), getattr(ImageFont, "FreeTypeFont", ())):
        return text
    return text.encode("latin-1", "replace").decode("latin-1")
