"""The closest known name, if it is plausible."""

import difflib
from collections.abc import Iterable

_LIKE = 0.8
_COMMON = ("_param", "Loss", "Data")
"""Endings that many names share."""


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to a wrong one: a slip of the hand away, not merely similar."""
    names = {_stem(each): each for each in known}
    stem = _stem(name)
    if folded := next((each for each in names.values() if each.lower() == name.lower()), None):
        return folded
    for each, whole in names.items():
        if len(each) == len(stem) > 1 and sum(a != b for a, b in zip(each, stem, strict=True)) == 1:
            return whole
    matches = difflib.get_close_matches(stem, names, n=1, cutoff=_LIKE)
    return names[matches[0]] if matches else None


def _stem(name: str) -> str:
    for ending in _COMMON:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending) + ending[0]
    return name
