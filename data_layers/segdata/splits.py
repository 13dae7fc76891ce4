"""Splits: text files with the name of one image on each line."""

from __future__ import annotations

import os


def read_names(path: str, who: str) -> list[str]:
    """The names in a split file, in order, without blank lines.

    Raises FileNotFoundError, which lists the splits that do exist beside the path, and ValueError for an empty file.
    """
    try:
        with open(path, encoding="utf-8") as lines:
            names = [line.strip() for line in lines]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{who}: there is no split file '{path}'; {_what_exists(path)}") from error
    names = [name for name in names if name]
    if not names:
        raise ValueError(f"{who}: the split file '{path}' names no image; expected one name on each line. Fill it.")
    return names


def _what_exists(path: str) -> str:
    folder, filename = os.path.split(path)
    if not os.path.isdir(folder):
        return (
            f"not even its folder '{os.path.abspath(folder)}' exists. Correct the data set's folder in param_str, or "
            "start from the folder that it is relative to."
        )
    ending = os.path.splitext(filename)[1]
    splits = sorted(entry[: -len(ending)] for entry in os.listdir(folder) if entry.endswith(ending))
    return f"the splits there are: {', '.join(splits) or 'none'}. Choose one of them, or write the missing list."
