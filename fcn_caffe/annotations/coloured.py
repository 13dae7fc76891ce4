"""Masks that show all classes of an image at once, each in its colour: CVAT's and Supervisely's."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Optional

import numpy as np

from fcn_caffe.annotations.found import Annotation, Annotations, Painted
from fcn_caffe.annotations.regions import Region
from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.labels import VOID, Colour, ColourMap


def add(
    found: Annotations, path: str, image: tuple[str, ...], names: Sequence[Optional[str]], colours: Mapping[Colour, int]
) -> None:
    """Add a mask to what was found, and count the classes that it shows.

    image: what its image may be called. names: of the classes, None for what is none. colours: their numbers.
    Raises ValueError for a mask with other colours.
    """
    classes = ColourMap(colours)(files.read_colours(path), path)
    for cls in np.flatnonzero(np.bincount(classes.ravel())).tolist():
        if cls != VOID and names[cls] is not None:
            found.objects[str(names[cls])] += 1
    size = classes.shape[1], classes.shape[0]
    found.items.append(Annotation(image, size, f"'{path}'", functools.partial(_paint, path, names, dict(colours))))


def _paint(path: str, names: Sequence[Optional[str]], colours: dict[Colour, int], width: int, height: int) -> Painted:
    classes = ColourMap(colours)(files.read_colours(path), path)
    for cls in np.flatnonzero(np.bincount(classes.ravel())).tolist():
        name = None if cls == VOID else names[cls]
        if cls == VOID or name is not None:
            yield name, Region(0, 0, classes == cls)
