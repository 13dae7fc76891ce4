"""The classes of label images without a list of classes: their values, their palette, or their colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple, Optional

import numpy as np

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.classes import VOID_NAME
from fcn_caffe.data_layers.segdata.labels import VOID, Colour, palette_colours
from fcn_caffe.datasets.label_values import BLURRED, MOSTLY
from fcn_caffe.pictures import drawing
from fcn_caffe.progress import progress

BLACK, VOC_VOID = (0, 0, 0), (224, 224, 192)
FREE = (VOC_VOID, (255, 255, 255), BLACK, *((level, 0, level) for level in range(1, 256)))
"""Colours for void, of which the first counts that no class has."""
TONES = 32
"""So many levels of gray, black and white most of all, are seldom classes."""
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
        self.looked_up: Counter[Colour] = Counter()
        self.shown_as: dict[int, Colour] = {}
        self.disagree = False

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
        counts = np.bincount(values.ravel().astype(np.uint8), minlength=VOID + 1)
        self.values += counts
        self.palettes.add(bytes(palette or ()))
        if palette:
            for value, colour in palette_colours(values, palette).items():
                self.looked_up[colour] += int(counts[value])
                self.disagree |= self.shown_as.setdefault(value, colour) != colour


def classes(paths: Collection[str]) -> list[Class]:
    """The classes that label images show, and void, if they show it, last. Where palettes give one value different
    colours, as those of pictures that were painted and then saved with a palette do, it is the colours that count.

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
    if seen.disagree:
        if b"" in seen.palettes:
            raise ValueError(
                "the palettes of some labels give one value different colours, and others have no palette, so that "
                "nobody knows which class a value is. Save all labels in one way."
            )
        if len(seen.looked_up) > MANY:
            raise ValueError(_too_many("the last", seen.looked_up))
        print("the palettes of the labels give one value different colours: their colours count")
        seen.colours = seen.looked_up
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
    if all(red == green == blue for red, green, blue in counts):
        _check_edges(np.array([counts[value, value, value] for value in range(VOID + 1)]))
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
    has_palette = len(palette) > max(values)
    own = has_palette and not np.array_equal(palette[: len(indices)], drawing.palette(len(indices)))
    if own or (has_palette and not counted):
        colours[: len(palette)] = [(red, green, blue) for red, green, blue in palette.tolist()]
    if not has_palette and not counted:
        _check_edges(seen.values)
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


def _check_edges(pixels: np.ndarray) -> None:
    """Raises ValueError for masks in black and white with gray edges. pixels: of each gray level."""
    levels, ends = int((pixels > 0).sum()), pixels[0] + pixels[VOID]
    most = levels > TONES and {0, VOID} == set(np.argsort(-pixels, kind="stable")[:2].tolist())
    if levels > BLURRED and min(pixels[0], pixels[VOID]) and (most or ends >= MOSTLY * pixels.sum()):
        raise ValueError(
            f"the labels are masks in black and white with blurred edges: they have {levels} levels of gray, expected "
            "two. Save them as PNG, and without resampling; if they are classes, list them (--classes FILE)."
        )


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
