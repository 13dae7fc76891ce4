"""The names and colours of a net's classes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from PIL import Image, ImageDraw

from fcn_caffe.data_layers.segdata import classes
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.pictures import drawing, lettering
from fcn_caffe.pictures.class_names import MADE, class_names

LINE, LEAST, MARGIN = 20, 220, 8
BACKGROUNDS = ("background", "_background_", "bg", "no edge", "other", "unlabeled", "unlabelled", "void", "none")
"""Names of class 0 that mean background."""


@dataclass(frozen=True)
class Legend:
    """names: of the classes, from 0 on; none where nobody says. colours: of 256 labels, red, green and blue."""

    names: tuple[str, ...] = ()
    colours: np.ndarray = field(default_factory=drawing.palette)

    def name(self, cls: int) -> str:
        """The name of a class; its number where it has none."""
        return self.names[cls] if cls < len(self.names) else f"class {cls}"

    @property
    def background(self) -> int | None:
        """The class that pictures leave as it is: 0 if it is called so, or has no name."""
        return 0 if not self.names or self.names[0].lower() in BACKGROUNDS else None

    @property
    def of_edges(self) -> bool:
        """Whether the classes are "no edge" and "edge"."""
        return self.names == MADE["edges"]

    def shares(self, counts: np.ndarray) -> dict[str, float]:
        """The share of the pixels that each class has, 0 to 1, the largest first; without those that have none.

        counts: the pixels of each class, of shape (classes,).
        """
        order = [int(cls) for cls in np.argsort(-counts, kind="stable") if counts[cls]]
        return {self.name(cls): float(counts[cls] / counts.sum()) for cls in order}

    def picture(self, lines: Optional[Sequence[tuple[int, str]]] = None) -> Image.Image:
        """A square of each class's colour, with its name beside it, or with the text of `lines`, by class."""
        listed = list(enumerate(self.names)) if lines is None else lines
        width = max([LEAST, *(2 * LINE + lettering.width(text) for _, text in listed)])
        canvas = Image.new("RGB", (width, LINE * len(listed) + 6), "white")
        draw = ImageDraw.Draw(canvas)
        for index, (cls, text) in enumerate(listed):
            top = LINE * index + 4
            draw.rectangle((4, top, 4 + LINE, top + LINE - 5), fill=tuple(self.colours[cls].tolist()), outline="black")
            lettering.write(draw, (LINE + 12, top - 2), text)
        return canvas

    def beside(self, picture: Image.Image, counts: np.ndarray) -> Image.Image:
        """A picture with the classes that it shows on its right, and the share of each.

        counts: the pixels of each class, of shape (classes,).
        """
        order = [int(cls) for cls in np.argsort(-counts, kind="stable") if counts[cls]]
        legend = self.picture([(cls, f"{self.name(cls)}  {counts[cls] / counts.sum():.1%}") for cls in order])
        canvas = Image.new("RGB", (picture.width + legend.width, max(picture.height, legend.height)), "white")
        canvas.paste(picture, (0, 0))
        canvas.paste(legend, (picture.width, 0))
        return canvas


def strip(lines: Sequence[tuple[str, Optional[tuple[int, ...]]]], width: int) -> Image.Image:
    """Texts beside each other in as many rows as they need, each with a square of its colour (None: hatched)."""
    widest = 2 * LINE + max(lettering.width(text) for text, _ in lines)
    across = max(1, width // widest)
    canvas = Image.new("RGB", (max(width, widest), -(-len(lines) // across) * LINE + 8), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (text, colour) in enumerate(lines):
        left, top = index % across * widest, index // across * LINE + 4
        swatch = Image.new("RGB", (LINE, LINE - 4), colour or "white")
        if colour is None:
            swatch = drawing.hatched(swatch, np.full((swatch.height, swatch.width), True))
        canvas.paste(swatch, (left, top))
        draw.rectangle((left, top, left + LINE - 1, top + LINE - 5), outline="black")
        lettering.write(draw, (left + LINE + 6, top - 2), text)
    return canvas


def below(picture: Image.Image, lines: Sequence[tuple[str, Optional[tuple[int, ...]]]]) -> Image.Image:
    """A picture with such a strip below it."""
    legend = strip(lines, picture.width - 2 * MARGIN)
    canvas = Image.new("RGB", (max(picture.width, legend.width + MARGIN), picture.height + legend.height), "white")
    canvas.paste(picture, (0, 0))
    canvas.paste(legend, (MARGIN, picture.height))
    return canvas


def legend_of(row: Variant, score: str = "score") -> Legend:
    """Of the classes of a row, or, where it has several heads, of those that the blob `score` is of."""
    split, heads = row.data.val, {"score" + head.suffix: head for head in row.data.heads}
    layer = reader(row).__new__(reader(row))
    layer.param_str = repr(split.params)
    names = class_names(layer, heads[score].classes, heads[score].label) if score in heads else None
    return Legend(tuple(names or ()), colours(split.params.get("classes_file")))


def reader(row: Variant) -> Any:
    """The class of the data layer that reads the images to score."""
    return getattr(importlib.import_module(row.data.module), row.data.val.layer)


def colours(class_file: str | None) -> np.ndarray:
    """VOC's, or those in a list of classes, 256×3; of several for one class, the first."""
    return drawing.class_colours({} if class_file is None else classes.read(class_file).colours)
