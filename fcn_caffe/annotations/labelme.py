"""labelme's annotations: a JSON file for each image, whose shapes are drawn in order.

The picture that the files hold, too (imageData), is not looked at: images are those of --images.
"""

from __future__ import annotations

import base64
import binascii
import functools
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from fcn_caffe.annotations import documents, regions
from fcn_caffe.annotations.found import Annotation, Annotations, Painted
from fcn_caffe.annotations.regions import Region
from fcn_caffe.data_layers.segdata.files import DAMAGED

POLYGONS = ("polygon", "oriented_rectangle")
DRAWN = (*POLYGONS, "rectangle", "circle", "mask")


def is_one(values: Any) -> bool:
    """Whether a JSON file is labelme's."""
    return isinstance(values, dict) and isinstance(values.get("shapes"), list)


def read(paths: Sequence[str], folder: str) -> Annotations:
    """The annotations in labelme's files, those that are some. Raises ValueError for a shape that cannot be drawn."""
    found = Annotations("labelme's shapes", ("shape", "shapes"))
    for path in paths:
        values = documents.read(path)
        if not is_one(values):
            found.left_out["JSON files without shapes"] += 1
            continue
        shapes = [_shape(shape, f"'{path}', shape {number}") for number, shape in enumerate(values["shapes"])]
        for kind, name, *_ in shapes:
            if kind in DRAWN:
                found.count(name)
            else:
                found.left_out[f"shapes that are {kind}s"] += 1
        said = values.get("imagePath")
        own = os.path.splitext(os.path.relpath(path, folder))[0]
        near = os.path.join(os.path.dirname(own), said) if isinstance(said, str) else own
        size = documents.size(values.get("imageWidth"), values.get("imageHeight"))
        images = (os.path.normpath(near), f"{own}.json")
        found.items.append(Annotation(images, size, f"'{path}'", functools.partial(_paint, shapes)))
    found.names.sort()
    return found


def _shape(shape: Any, where: str) -> tuple[str, str, np.ndarray, Any, str]:
    """The kind of a shape, its class, its points, its mask, and where it is."""
    name = documents.class_name(documents.member(shape, "label", str, where), where)
    kind = shape.get("shape_type") or "polygon"
    if kind not in DRAWN:
        kind = kind if isinstance(kind, str) and kind.isidentifier() else "shape of no known type"
        return kind, name, np.empty((0, 2)), None, where
    points = documents.points(shape.get("points"), 3 if kind in POLYGONS else 2, where)
    return kind, name, points, shape.get("mask"), where


def _paint(shapes: Sequence[tuple[str, str, np.ndarray, Any, str]], width: int, height: int) -> Painted:
    for kind, name, points, mask, where in shapes:
        if kind in POLYGONS or (kind == "rectangle" and len(points) > 2):
            yield name, regions.polygon(points, width, height)
        elif kind == "rectangle":
            yield name, regions.rectangle(points, width, height)
        elif kind == "circle":
            yield name, regions.circle(points[0], points[1], width, height)
        elif kind == "mask":
            yield name, _mask(mask, points, width, height, where)


def _mask(content: Any, points: np.ndarray, width: int, height: int, where: str) -> Region:
    """A PNG in base64 that lies between two points."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(content, validate=True)), formats=("PNG",)) as image:
            left, top = (int(value) for value in np.round(points.min(0)))
            if not (0 <= left <= width - image.width and 0 <= top <= height - image.height):
                raise ValueError(f"a mask of {image.width}×{image.height} at {left}, {top} lies outside of the image")
            return Region(top, left, np.asarray(image.convert("L")) > 0)
    except (binascii.Error, *DAMAGED) as error:
        raise ValueError(f"{where}: the mask cannot be used ({error}). Draw it again, or remove it.") from error
