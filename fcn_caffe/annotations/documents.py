"""JSON files of other programs, of which every value is checked before it is used."""

from __future__ import annotations

import json
from typing import Any, Optional

import numpy as np

from fcn_caffe.data_layers.segdata import text

FARTHEST = 1e7
"""Pixels that a coordinate may be away from the image's corner."""
LONGEST_NAME = 200
"""Characters that the name of a class may have."""


def read(path: str) -> Any:
    """The values in a JSON file. Raises FileNotFoundError, and ValueError for what is no JSON."""
    try:
        return json.loads(text.read(path))
    except (ValueError, RecursionError) as error:
        if path in str(error):
            raise
        raise ValueError(f"'{path}' is not whole JSON ({error}). Export it again.") from error


def member(values: Any, key: str, kind: type, where: str) -> Any:
    """The value of an object under a key. Raises ValueError if it is not of this kind."""
    found = values.get(key) if isinstance(values, dict) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        what = "nothing" if found is None else f"a {type(found).__name__}"
        names = {dict: "an object", list: "a list", str: "text", int: "a whole number"}
        raise ValueError(f"{where}: {key} is {what}, expected {names[kind]}. Export it again.")
    return found


def class_name(value: Any, where: str) -> str:
    """The name of a class. Raises ValueError for one that a list of classes cannot have."""
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"{where}: a class is called {str(value)[:40]!r}, expected a word or a few. Rename it.")
    return name


def points(values: Any, least: int, where: str) -> np.ndarray:
    """Coordinates, n×2: x and y in pixels from the image's upper left corner. Raises ValueError for fewer than `least`,
    and for what is no place near an image."""
    try:
        found = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.ndim == 1 and found.size % 2 == 0:
        found = found.reshape(-1, 2)
    if found.ndim != 2 or found.shape[1:] != (2,) or len(found) < least:
        raise ValueError(
            f"{where}: {_short(values)} are the points of a shape, expected at least {least} pairs of numbers. "
            "Correct the shape, or remove it."
        )
    if not (np.abs(found) <= FARTHEST).all():  # which what is not a number is not, either
        raise ValueError(f"{where}: a point is at {_short(values)}, expected pixels. Correct the shape, or remove it.")
    return found


def size(width: Any, height: Any) -> Optional[tuple[int, int]]:
    """The width and height that a file says an image has; None where it says none. It is compared, never believed."""
    if all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in (width, height)):
        return width, height
    return None


def _short(values: Any) -> str:
    shown = repr(values)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
