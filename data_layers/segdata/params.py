"""`param_str`: the text of a Python layer's settings, as a checked dictionary."""

from __future__ import annotations

import ast
import difflib
from typing import Any

import numpy as np

from segdata.labels import VOID, LabelMap


def parse(param_str: str, who: str, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """The dictionary that `param_str` writes down as a Python literal; nothing in it is ever executed.

    Raises ValueError where it is no dictionary literal, lacks a required key or has an unknown one.
    """
    example = "{" + ", ".join(f"'{key}': ..." for key in required) + "}"
    try:
        params = ast.literal_eval(param_str.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(
            f"{who}: param_str {param_str!r} is not a Python literal ({error}). "
            f"Write a dictionary of plain values, such as {example}."
        ) from error
    if not isinstance(params, dict):
        raise ValueError(f"{who}: param_str is a {type(params).__name__}, not a dictionary such as {example}.")
    known = required + optional
    for key in params:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."
            raise ValueError(f"{who}: param_str has the unknown key {key!r}; {hint}")
    missing = [key for key in required if key not in params]
    if missing:
        raise ValueError(
            f"{who}: param_str lacks {' and '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, params)) or 'no key'}. Write a dictionary such as {example}."
        )
    return params


def whole(settings: dict[str, Any], key: str, default: int, least: int, who: str) -> int:
    """The whole number under `key`; the default where the key is absent or None."""
    value = settings.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{who}: {key} is {value!r}, expected a whole number of at least {least}. Correct param_str.")
    return value


def choice(settings: dict[str, Any], key: str, default: str, known: tuple[str, ...], who: str) -> str:
    """The word under `key`, which must be a known one; the default where the key is absent."""
    value = settings.get(key, default)
    if value not in known:
        raise ValueError(f"{who}: {key} is {value!r}, expected one of {', '.join(known)}. Correct param_str.")
    return value


def mean(settings: dict[str, Any], who: str) -> np.ndarray:
    """The three numbers under `mean`: blue, green, red, in 0–255."""
    value = settings["mean"]
    try:
        colour = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        colour = np.empty(0)
    if colour.shape != (3,) or not np.isfinite(colour).all():
        raise ValueError(f"{who}: mean is {value!r}, expected three numbers (blue, green, red). Correct param_str.")
    return colour


def label_map(settings: dict[str, Any], default_n_classes: int, who: str) -> LabelMap:
    """What `n_classes` and `classes` say of label values."""
    n_classes = whole(settings, "n_classes", default_n_classes, 1, who)
    if n_classes > VOID:
        raise ValueError(
            f"{who}: n_classes is {n_classes}, expected at most {VOID} ({VOID} is void). Correct param_str."
        )
    classes = settings.get("classes")
    if classes is not None:
        legal = isinstance(classes, (list, tuple)) and all(type(c) is int and 0 <= c < n_classes for c in classes)
        if not legal or not classes or len(set(classes)) != len(classes):
            raise ValueError(
                f"{who}: classes is {classes!r}, expected a list of different ids in 0..{n_classes - 1}. "
                "Correct param_str."
            )
    return LabelMap(n_classes, classes)
