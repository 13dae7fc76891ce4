"""Long lists in error messages."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice


def first(words: Iterable[object], most: int) -> str:
    """The first of the words, separated by commas, with an ellipsis if there are more."""
    shown = list(islice(map(str, words), most + 1))
    return ", ".join(shown[:most]) + (", …" if len(shown) > most else "")
