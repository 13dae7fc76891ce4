"""The error for an unknown name, which lists the closest names first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 12
SAID = 3


def unknown(name: str, what: str, known: Iterable[str], all_of_them: str) -> ValueError:
    """The error. what: such as "variant or task". all_of_them: where many names are listed, a sentence."""
    names = list(known)
    close = [each for each in names if each.lower() == name.lower()] or _close(name, names)
    if not close:  # the part that says which data set may be missing: fcn8s for voc-fcn8s
        tails = [each.split("-", 1)[-1] for each in names]
        close = [each for tail in _close(name, tails)[:1] for each in names if each.endswith(f"-{tail}")][:SAID]
    if close:
        hint = f"Did you mean {' or '.join(close)}? {all_of_them}"
    elif len(names) <= SHOWN:
        hint = f"There are {', '.join(names) or 'none'}."
    else:
        hint = all_of_them
    return ValueError(f"{name}: no such {what}. {hint}")


def _close(name: str, names: list[str]) -> list[str]:
    return difflib.get_close_matches(name, dict.fromkeys(names), n=SAID, cutoff=0.55)
