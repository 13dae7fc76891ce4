"""`param_str`: the text of a Python layer's settings, as a checked dictionary."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from fcn_caffe.data_layers.segdata.labels import VOID

Value = TypeVar("Value", str, int)


def parse(param_str: str, who: str, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """The dictionary that `param_str` writes down as a Python literal; nothing in it is ever executed.

    Raises ValueError where it is no dictionary literal, lacks a required key or has an unknown one.
    """
    example = "{" + ", ".join(f"'{key}': ..." for key in required) + "}"
    try:
        params = ast.literal_eval(param_str.strip())
        repr(params)  # which Python refuses of numbers with very many digits
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(
            f"{who}: param_str {param_str!r} is not a Python literal ({error}). "
            f"Write a dictionary of plain values, such as {example}."
        ) from error
    if not isinstance(params, dict):
        raise ValueError(f"{who}: param_str is a {type(params).__name__}, not a dictionary such as {example}.")
    known = tuple(dict.fromkeys(required + optional))
    for key in params:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known) or 'none'}."
            raise ValueError(f"{who}: param_str has the unknown key {key!r}; {hint}")
    for key, value in params.items():
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{who}: {key} is {value!r}, and no name has a zero byte. Correct param_str.")
    missing = [key for key in required if key not in params]
    if missing:
        raise ValueError(
            f"{who}: param_str lacks {' and '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, params)) or 'no key'}. Write a dictionary such as {example}."
        )
    return params


def whole(settings: dict[str, Any], key: str, default: int, least: int, who: str, most: int | None = None) -> int:
    """The whole number under `key`; the default where the key is absent or None."""
    value = settings.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{who}: {key} is {value!r}, expected a whole number of at least {least}. Correct param_str.")
    if most is not None and value > most:
        raise ValueError(f"{who}: {key} is {value}, expected at most {most}. Correct param_str.")
    return value


def choice(settings: dict[str, Any], key: str, default: Value, known: tuple[Value, ...], who: str) -> Value:
    """The value under `key`, which must be a known one; the default where the key is absent."""
    value = settings.get(key, default)
    if value not in known:
        expected = ", ".join(str(each) or "''" for each in known)
        raise ValueError(f"{who}: {key} is {value!r}, expected one of {expected}. Correct param_str.")
    return value


def numbers(settings: dict[str, Any], key: str, default: Sequence[float], meaning: str, who: str) -> np.ndarray:
    """The numbers under `key`, of the shape of `default`, which is taken where the key is absent; of one, the number
    may stand alone. Raises ValueError."""
    value = settings.get(key, default)
    try:
        found = np.atleast_1d(np.array(value, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.shape != (len(default),) or not np.isfinite(found).all():
        count = {1: "a number", 2: "two numbers", 3: "three numbers", 4: "four numbers"}[len(default)]
        raise ValueError(f"{who}: {key} is {value!r}, expected {count} ({meaning}). Correct param_str.")
    return found


def n_classes(settings: dict[str, Any], default: int, who: str) -> int:
    """How many classes the label files have: at most 255, because 255 is void."""
    value = whole(settings, "n_classes", default, 1, who)
    if value > VOID:
        raise ValueError(f"{who}: n_classes is {value}, expected at most {VOID} ({VOID} is void). Correct param_str.")
    return value


def classes(settings: dict[str, Any], n_classes: int, who: str) -> list[int] | None:
    """The ids under `classes`, of those to keep out of 0..n_classes-1; None where the key is absent or None."""
    value = settings.get("classes")
    if value is None:
        return None
    legal = isinstance(value, (list, tuple)) and all(type(c) is int and 0 <= c < n_classes for c in value)
    if not legal or not value or len(set(value)) != len(value):
        raise ValueError(
            f"{who}: classes is {value!r}, expected a list of different ids in 0..{n_classes - 1}. Correct param_str."
        )
    return list(value)
