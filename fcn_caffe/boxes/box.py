"""Boxes round objects: found in masks, and as files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.pictures import outputs
from fcn_caffe.whole_files import open_atomic

NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together."""


class ObjectBox(NamedTuple):
    """A class, and the pixels left ≤ x < right, top ≤ y < bottom."""

    cls: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def inside(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def overlap(self, other: ObjectBox) -> float:
        """Intersection over union, whatever the classes."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        both = max(width, 0) * max(height, 0)
        return both / max(self.area + other.area - both, 1)

    def scaled(self, scale: float, height: int, width: int) -> ObjectBox:
        """The same box on an image of another size, at least a pixel of it."""
        left, top = min(int(self.left * scale), width - 1), min(int(self.top * scale), height - 1)
        right = max(min(round(self.right * scale), width), left + 1)
        bottom = max(min(round(self.bottom * scale), height), top + 1)
        return ObjectBox(self.cls, left, top, right, bottom)


def of_mask(label: np.ndarray) -> list[ObjectBox]:
    """The boxes of a mask, height×width: one round each connected region of a class that is neither 0 nor void."""
    found = []
    for cls in np.unique(label).tolist():
        if cls in (0, VOID):
            continue
        regions, _ = ndimage.label(label == cls, NEIGHBOURS)
        for rows, columns in ndimage.find_objects(regions):
            found.append(ObjectBox(cls, columns.start, rows.start, columns.stop, rows.stop))
    return found


def round_of(mask: np.ndarray) -> ObjectBox | None:
    """The box round all that is true in a mask, height×width, of class 0; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return None
    return ObjectBox(0, int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def write(boxes: list[ObjectBox], path: Path) -> None:
    """One box a line: class, left, top, right, bottom; after a first line that says who wrote it."""
    lines = [outputs.TEXT_MARK, *(" ".join(map(str, box)) for box in boxes)]
    with open_atomic(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def read(path: Path) -> list[ObjectBox]:
    """The boxes in a file. Raises FileNotFoundError, and ValueError for a line that is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no file '{path}' of boxes. Make it: fcn boxes --masks FOLDER.") from error
    found = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or line == outputs.TEXT_MARK:
            continue
        numbers = [int(word) for word in words if word.isascii() and word.isdecimal() and len(word) < 8]
        box = ObjectBox(*numbers) if len(numbers) == len(words) == len(ObjectBox._fields) else None
        if box is None or not (0 < box.cls < VOID and box.left < box.right and box.top < box.bottom):
            raise ValueError(
                f"'{path}':{number} is {line[:60]!r}, expected a class from 1 to {VOID - 1}, and left, top, right and "
                "bottom in pixels, right and bottom the larger. Correct it."
            )
        found.append(box)
    return found
