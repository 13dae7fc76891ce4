"""What the classes of a net are called, and in which colours they are drawn."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fcn_caffe.data_layers.segdata import classes
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.pictures import drawing
from fcn_caffe.pictures.class_names import class_names

LINE = 18
BACKGROUNDS = ("background", "bg", "other", "unlabeled", "unlabelled", "void", "none")
"""What class 0 is called where it is none of the things that are looked for."""


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

    def picture(self) -> Image.Image:
        """A square of each class's colour, with its name beside it."""
        canvas = Image.new("RGB", (220, LINE * len(self.names) + 4), "white")
        draw = ImageDraw.Draw(canvas)
        for cls, name in enumerate(self.names):
            top = LINE * cls + 4
            draw.rectangle((4, top, 4 + LINE, top + LINE - 5), fill=tuple(self.colours[cls].tolist()), outline="black")
            draw.text((LINE + 12, top), name, fill="black")
        return canvas


def legend_of(row: Variant, score: str = "score") -> Legend:
    """Of the classes of a row, or, where it has several heads, of those that the blob `score` is of."""
    split, heads = row.data.val, {"score" + head.suffix: head for head in row.data.heads}
    layer = reader(row).__new__(reader(row))
    layer.param_str = repr(split.params)
    names = class_names(layer, heads[score].classes) if score in heads else None
    return Legend(tuple(names or ()), colours(split.params.get("classes_file")))


def reader(row: Variant) -> Any:
    """The class of the data layer that reads the images to score."""
    return getattr(importlib.import_module(row.data.module), row.data.val.layer)


def colours(class_file: str | None) -> np.ndarray:
    """VOC's, or those in a list of classes, 256×3; of several for one class, the first."""
    found = drawing.palette()
    if class_file is not None:
        for colour, cls in reversed(list(classes.read(class_file).colours.items())):
            found[cls] = colour
    return found
