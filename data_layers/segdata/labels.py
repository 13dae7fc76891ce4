"""The legal values of labels, and the class of each.

Data sets write their labels in different ways: classes from 0 or from 1, void as 255, 0 or -1, or every class as a
colour. A layer always delivers classes 0, 1, 2, … and void.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fcn_caffe.data_layers.segdata import shown

VOID = 255
VOID_16 = 65535
"""Void where there are more than 255 classes, so that 255 is one of them."""

Colour = tuple[int, int, int]


def void_of(n_classes: int) -> int:
    """The value that stands for void beside so many classes."""
    return VOID if n_classes <= VOID else VOID_16


def from_zero(n_classes: int) -> dict[int, int]:
    """Stored value to class where files hold 0..n_classes-1, and 255 for void, as PASCAL VOC's do."""
    return {**{value: value for value in range(n_classes)}, VOID: VOID}


def from_one(n_classes: int) -> dict[int, int]:
    """Stored value to class where files hold 1..n_classes, and 0 for void."""
    return {0: void_of(n_classes), **{value + 1: value for value in range(n_classes)}}


class LabelMap:
    """Turns the values of label files into classes, after a check that each is legal.

    stored: every legal value, and the class or the void that it stands for.
    n_classes: how many classes there are.
    classes: ids of the classes to keep; they become 0, 1, 2, … in the order given, and every other class void.
    said_in: where whoever made the map says how many classes there are, for errors.
    """

    def __init__(
        self,
        stored: Mapping[int, int],
        n_classes: int,
        classes: Sequence[int] | None = None,
        said_in: str = "param_str",
    ):
        self._said_in = said_in
        self._legal = sorted(stored)
        renumbered = range(n_classes) if classes is None else classes
        self._void = void_of(len(renumbered))
        to = {old: new for new, old in enumerate(renumbered)}
        self._low = self._legal[0]
        self._table = np.full(self._legal[-1] - self._low + 1, self._void, _dtype(self._void))
        self._known = np.zeros(self._table.shape, bool)
        for value, cls in stored.items():
            self._table[value - self._low] = to.get(cls, self._void)
            self._known[value - self._low] = True

    def __call__(self, label: np.ndarray, path: str) -> np.ndarray:
        """The label's classes, height×width, uint8 (uint16 if there are more than 255 classes).

        Raises ValueError with the file's path and the values that no class has.
        """
        legal = label.size and self._legal[0] <= label.min() and label.max() <= self._legal[-1]
        if legal:
            index = label.astype(np.int64) - self._low
            legal = self._known[index].all() and (label.dtype.kind in "iu" or (label == index + self._low).all())
        if not legal:
            found = np.unique(label)
            bad = found[~np.isin(found, self._legal)].tolist()
            some = shown.first((f"{value:g}" for value in bad), 8)
            raise ValueError(
                f"label '{path}' has the value(s) {some or 'of no pixel'}, expected {_ranges(self._legal)}. "
                f"Correct the label, or the number of classes in {self._said_in}."
            )
        return self._table[index]


class ColourMap:
    """Turns labels whose classes are colours into class indices.

    colours: every legal colour (red, green, blue), and the class or the void that it stands for.
    """

    def __init__(self, colours: Mapping[Colour, int]):
        codes = {_code(np.array(colour)): cls for colour, cls in colours.items()}
        self._codes = np.array(sorted(codes))
        self._classes = np.array([codes[code] for code in sorted(codes)], _dtype(max(codes.values())))

    def __call__(self, rgb: np.ndarray, path: str) -> np.ndarray:
        """Class indices, height×width, of an image, height×width×3, uint8, RGB.

        Raises ValueError with the file's path and the colours that no class has.
        """
        codes = _code(rgb)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        strange = codes[self._codes[place] != codes]
        if strange.size:
            found, counts = np.unique(strange, return_counts=True)
            most = found[np.argsort(-counts)[:4]]
            some = ", ".join(str((code >> 16, code >> 8 & 255, code & 255)) for code in most.tolist())
            raise ValueError(
                f"label '{path}' has {len(found)} colour(s) that no class has, such as {some}, at {strange.size} "
                "pixels; expected only colours of the list of classes. Add them to it, or, if edges are blurred, "
                "save the label as PNG and without resampling."
            )
        return self._classes[place]


def palette_colours(values: np.ndarray, palette: Sequence[int]) -> dict[int, Colour]:
    """The colours of the values that a palette image shows. palette: red, green, blue, red, …"""
    found = {}
    for value in np.flatnonzero(np.bincount(values.ravel())).tolist():
        red, green, blue = [*palette[3 * value : 3 * value + 3], 0, 0, 0][:3]
        found[value] = (red, green, blue)
    return found


def _code(rgb: np.ndarray) -> np.ndarray:
    """Colours, …×3, as one number each."""
    return rgb.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])


def _dtype(largest: int) -> type[np.unsignedinteger]:
    return np.uint8 if largest <= VOID else np.uint16


def _ranges(values: Sequence[int]) -> str:
    """Ascending integers in words: 0..20 or 255."""
    starts = [value for value in values if value - 1 not in values]
    ends = [value for value in values if value + 1 not in values]
    return " or ".join(f"{a}..{b}" if a != b else str(a) for a, b in zip(starts, ends))
