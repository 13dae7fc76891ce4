"""Supervisely's export as masks: in each data set's folder masks_machine, whose colours one JSON file names."""

from __future__ import annotations

import os
from typing import Optional

from fcn_caffe.annotations import coloured, documents
from fcn_caffe.annotations.found import Annotations
from fcn_caffe.data_layers.segdata import pairs
from fcn_caffe.data_layers.segdata.labels import VOID, Colour

COLOURS, MASKS = "obj_class_to_machine_color.json", "masks_machine"


def is_one(folder: str) -> bool:
    """Whether a folder is such an export."""
    return os.path.isfile(os.path.join(folder, COLOURS))


def read(folder: str) -> Annotations:
    """The masks of all data sets in the folder; black is none of the classes.

    Raises ValueError for a list of colours that is none, and for masks in other colours.
    """
    path = os.path.join(folder, COLOURS)
    values = documents.read(path)
    if not isinstance(values, dict) or not 0 < len(values) < VOID:
        raise ValueError(f"'{path}' is no list of classes and their colours. Export it from Supervisely again.")
    names: list[Optional[str]] = [None]
    numbers: dict[Colour, int] = {(0, 0, 0): 0}
    for name, colour in values.items():
        if not _is_colour(colour) or numbers.get(tuple(colour)):
            raise ValueError(
                f"'{path}': {name[:40]!r} has the colour {str(colour)[:40]}, expected three numbers of 0 to 255, and "
                "others for each class. Export it from Supervisely again."
            )
        numbers[tuple(colour)] = len(names)
        names.append(documents.class_name(name, f"'{path}'"))
    found = Annotations("Supervisely's masks", ("class shown", "classes shown"))
    for data_set in _data_sets(folder):
        for name, mask in pairs.by_stem(os.path.join(folder, data_set, MASKS), "masks").items():
            images = tuple(os.path.join(data_set, each) for each in (f"img/{name}.png", f"img/{name}"))
            coloured.add(found, mask, images, names, numbers)
    if not found.items:
        raise ValueError(f"'{folder}' has no folder {MASKS}, expected Supervisely's masks for machines. Export these.")
    found.names = [name for name in names if name is not None and found.objects[name]]
    return found


def _data_sets(folder: str) -> list[str]:
    """The folders below, or "" for this one, that have masks."""
    return sorted(
        os.path.normpath(os.path.relpath(path, folder)) for path, below, _ in os.walk(folder) if MASKS in below
    )


def _is_colour(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(type(each) is int and 0 <= each <= 255 for each in value)
