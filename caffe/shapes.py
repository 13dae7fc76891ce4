"""Shapes, and how they are written: in errors 1×3×224×224, in Caffe's log lines 1 3 224 224 (150528)."""

import math
from collections.abc import Iterable

Shape = tuple[int, ...]
"""The sizes of all axes."""


def shape_text(shape: Iterable[int]) -> str:
    """A shape as errors spell it, 1×3×224×224; (), which holds one number, as ()."""
    return "×".join(map(str, shape)) or "()"


def shape_string(shape: Iterable[int]) -> str:
    """A shape as Caffe's log spells it, with the number of values (Blob::shape_string)."""
    extents = tuple(shape)
    return f"{' '.join(map(str, extents))} ({math.prod(extents)})"
