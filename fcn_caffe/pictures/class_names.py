"""The names of the classes of a data layer's labels, and of those that are made of them."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from fcn_caffe.data_layers.segdata import classes

LISTS = ("CLASSES", "CLASSES_33", "SEMANTIC", "GEOMETRIC", "VALUES")
"""What the modules of data layers call their lists of names."""
MADE = {"edges": ("no edge", "edge")}
"""Of labels that are none of the data set's classes, by what they are called."""


def class_names(layer: Any, n_classes: int, label: str = "label") -> list[str] | None:
    """The names of the classes that a data layer delivers; None if there are none.

    label: what the labels are called; edges have names of their own, whatever the data set's classes are.

    They stand in the file that `classes_file` in param_str names, in classes.txt in the data set's folder, or, unless
    param_str says how many classes there are, and so that they are others, in the layer's module; with `classes` in
    param_str, only those, in that order. Of several lists the one counts that has as many classes as are asked for. A
    list that cannot be read is told, and left out.
    """
    if label in MADE:
        return list(MADE[label])
    given = settings(layer)
    if given is None:
        return None
    own = given.get("n_classes") is not None
    for known in (*_in_files(given), *(() if own else _in_module(type(layer)))):
        kept = given.get("classes") or range(len(known))
        if len(kept) == n_classes and max(kept, default=-1) < len(known):
            return [known[index] for index in kept]
    return None


def settings(layer: Any) -> dict[str, Any] | None:
    """The settings in a layer's param_str; None where it is no dictionary."""
    try:
        found = ast.literal_eval(layer.param_str.strip())
    except (AttributeError, ValueError, SyntaxError):
        return None
    return found if isinstance(found, dict) else None


def _in_files(settings: dict[str, Any]) -> Iterator[Sequence[str]]:
    paths = [os.path.join(str(folder), "classes.txt") for key, folder in settings.items() if key.endswith("_dir")]
    for path in filter(os.path.isfile, (str(settings.get("classes_file", "")), *paths)):
        try:
            yield classes.read(path).names
        except ValueError as error:
            print(f"WARNING: {error} (Classes go by their numbers here.)", file=sys.stderr)


def _in_module(layer_type: type) -> Iterator[Sequence[str]]:
    module = sys.modules.get(layer_type.__module__)
    found = [tuple(getattr(module, name)) for name in LISTS if hasattr(module, name)]
    yield from found
    yield from (("background", *names) for names in found)
