"""The classes of label images without a list of classes: their values, their palette, or their colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple, Optional

import numpy as np

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.classes import VOID_NAME
from fcn_caffe.data_layers.segdata.labels import VOID, Colour
from fcn_caffe.pictures import drawing
from fcn_caffe.progress import progress

BLACK, VOC_VOID = (0, 0, 0), (224, 224, 192)
FREE = (VOC_VOID, (255, 255, 255), BLACK, *((level, 0, level) for level in range(1, 256)))
"""Colours for void, of which the first counts that no class has."""
MANY = 64
"""Labels with more colours than this are pictures, or have blurred edges."""


class Class(NamedTuple):
    """A class that was found: its name, its colour where labels are read by colours, and its share of the pixels."""

    name: str
    colour: Optional[Colour]
    share: float


class _Seen:
    """The pixels of all labels, counted by value, for labels with one value per pixel, and by colour."""

    def __init__(self) -> None:
        self.values = np.zeros(VOID + 1, np.int64)
        self.colours: Counter[Colour] = Counter()
        self.palettes: set[bytes] = set()

    def add(self, path: str) -> None:
        if files.look(path).form == "JPEG":
            raise ValueError(f"label '{path}' is a JPEG, whose values compression changes. Save labels as PNG.")
        with files.open_image(path) as image:
            single, palette = len(image.getbands()) == 1, image.getpalette() if image.mode == "P" else None
        if not single:
            codes = files.read_image(path).astype(np.int64) @ (1 << 16, 1 << 8, 1)
            for code, count in zip(*(each.tolist() for each in np.unique(codes, return_counts=True))):
                self.colours[code >> 16, code >> 8 & 255, code & 255] += count
            if len(self.colours) > MANY:
                raise ValueError(_too_many(path, self.colours))
            return
        values = files.read_label(path)
        if values.min() < 0 or values.max() > VOID:
            raise ValueError(f"label '{path}' has values up to {values.max()}, expected 0 to {VOID}. Save it anew.")
        self.values += np.bincount(values.ravel().astype(np.uint8), minlength=VOID + 1)
        self.palettes.add(bytes(palette or ()))


def classes(paths: Collection[str]) -> list[Class]:
    """The classes that label images show, and void, if they show it, last.

    Raises ValueError for labels in two ways, for pictures, and for one class alone.
    """
    seen = _Seen()
    with progress("looking for classes", "labels", len(paths)) as advance:
        for path in paths:
            seen.add(path)
            advance()
    if seen.colours and seen.values.any():
        raise ValueError(
            "some labels have one value for each pixel and others have colours, expected one kind. Convert them, or "
            "list the classes with their colours (--classes FILE)."
        )
    found = _of_colours(seen.colours) if seen.colours else _of_values(seen)
    if sum(each.name != VOID_NAME for each in found) < 2:
        raise ValueError(f"the labels show {_some(found)} alone, expected two classes or more. Are these the labels?")
    return found


def text(found: Iterable[Class]) -> str:
    """A list of these classes, as `segdata.classes` reads it."""
    lines = []
    for name, colour, _ in found:
        if colour is not None:
            lines.append(f"{name} {' '.join(map(str, colour))}\n")
        elif name != VOID_NAME:
            lines.append(f"{name}\n")
    return "".join(lines)


def report(found: Iterable[Class]) -> str:
    """The classes with their shares, as text."""
    lines = ["classes found in the labels (name them in a file, and give --classes FILE):"]
    for number, (name, colour, share) in enumerate(found):
        shown = "" if colour is None else f"  {'({}, {}, {})'.format(*colour)}"
        lines.append(f"  {VOID if name == VOID_NAME else number:3}  {name:16} {share:8.3%}{shown}")
    return "\n".join(lines)


def _of_colours(counts: Counter[Colour]) -> list[Class]:
    """Black first, if it is there, and called background; the others by how much they show."""
    total = sum(counts.values())
    colours = sorted(counts, key=lambda colour: (colour == VOC_VOID, colour != BLACK, -counts[colour], colour))
    two = len(colours) == 2 and colours[0] == BLACK
    names = {BLACK: "background", VOC_VOID: VOID_NAME}
    named = [names.get(each, "foreground" if two else "rgb-{:02x}{:02x}{:02x}".format(*each)) for each in colours]
    return [Class(name, colour, counts[colour] / total) for name, colour in zip(named, colours)]


def _of_values(seen: _Seen) -> list[Class]:
    """By values; by the palette's colours where all labels have one palette, which is not VOC's."""
    values = np.flatnonzero(seen.values).tolist()
    share = seen.values / max(seen.values.sum(), 1)
    mask = values in ([0], [VOID], [0, VOID])
    indices = [value for value in values if value != VOID or mask]
    counted = indices == list(range(len(indices)))
    colours: list[Colour] = [(value, value, value) for value in range(VOID + 1)]
    content = next(iter(seen.palettes)) if len(seen.palettes) == 1 else b""
    palette = np.frombuffer(content, np.uint8).reshape(-1, 3)
    own = len(palette) > max(values) and not np.array_equal(palette[: len(indices)], drawing.palette(len(indices)))
    if own:
        colours[: len(palette)] = [(red, green, blue) for red, green, blue in palette.tolist()]
    by_colour = (own or not counted) and len({colours[value] for value in values}) == len(values)
    if not counted and (not by_colour or len(seen.palettes) > 1):
        raise ValueError(
            f"the labels have the values {_several(values)}, and no palette that tells them apart; expected the values "
            "0, 1, 2, … Number the classes anew, or give all labels one palette with a colour for each class."
        )
    word = "class" if counted else "value"
    found = [Class(f"{word} {value}", colours[value] if by_colour else None, float(share[value])) for value in indices]
    if mask and len(indices) == 2:
        found = [each._replace(name=name) for each, name in zip(found, ("background", "foreground"))]
    if VOID in values and not mask:
        found.append(Class(VOID_NAME, colours[VOID] if by_colour else None, float(share[VOID])))
    return found


def _too_many(path: str, counts: Counter[Colour]) -> str:
    some = ", ".join(f"{colour}" for colour, _ in counts.most_common(4))
    return (
        f"the labels up to '{path}' have {len(counts)} colours, most often {some}; expected one for each class, at "
        f"most {MANY}. If edges are blurred, save the labels as PNG and without resampling; if there are so many "
        "classes, list them (--classes FILE)."
    )


def _some(found: list[Class]) -> str:
    return ", ".join(each.name for each in found) or "nothing"


def _several(values: list[int]) -> str:
    return ", ".join(map(str, values[:8])) + ("…" if len(values) > 8 else "")
