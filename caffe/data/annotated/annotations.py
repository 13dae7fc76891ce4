"""Boxes of an image out of a file: PASCAL VOC's XML, SSD's text, or a label picture (SSD: src/caffe/util/io.cpp)."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

import numpy as np

from caffe.data import lists
from caffe.data.pairs import label_picture
from caffe.errors import DataError
from caffe.formats import prototxt
from caffe.proto import caffe_pb2

BACKGROUND, VOID = 0, 255
MOST_BYTES = 1 << 24
"""Of an annotation file."""


def label_map(path: str) -> dict[str, int]:
    """Name → class, of a prototxt of SSD's LabelMap."""
    items = prototxt.parse(prototxt.read_text(path), caffe_pb2.LabelMap(), path).item
    found: dict[str, int] = {}
    for item in items:
        if item.name in found:
            raise DataError(f"'{path}' has the name '{item.name}' twice. There are duplicates in the label map.")
        found[item.name] = item.label
    return found


def of_xml(path: str, names: Mapping[str, int]) -> np.ndarray:
    """(n, 7) rows of an annotation of PASCAL VOC: pixels are divided by the size that it says.

    Raises DataError for a file that is none, and for a name that is not among `names`.
    """
    text = lists.read_text(path, f"Could not open {path}", "Correct the list.")
    if len(text) > MOST_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError(
            f"{path} is larger than {MOST_BYTES:,} bytes or declares entities, expected VOC's annotation."
            " Name such a file."
        )
    try:
        root = ElementTree.fromstring(text)
        size = {name: float(_text(root, f"size/{name}")) for name in ("width", "height")}
        objects = [
            (
                _text(each, "name").strip(),
                float(each.findtext("difficult", "0")) != 0,
                [float(_text(each, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")],
            )
            for each in root.iter("object")
        ]
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(
            f"{path}: {error}. Expected an annotation as PASCAL VOC's: size, and objects with a bndbox."
            " Correct the file."
        ) from error
    rows = []
    for name, difficult, box in objects:
        if name not in names:
            raise DataError(f"{path}: Unknown name: '{name}'. Add it to the label map, which has {', '.join(names)}.")
        rows.append((names[name], *_shares(box, size["height"], size["width"], path), difficult))
    return numbered(rows)


def _text(element: ElementTree.Element, path: str) -> str:
    found = element.findtext(path)
    if found is None:
        raise LookupError(f"<{element.tag}> has no <{path}>")
    return found


def of_text(path: str, height: int, width: int) -> np.ndarray:
    """(n, 7) rows of a file with `class xmin ymin xmax ymax` a line, in pixels of an image of this size."""
    rows = []
    for number, line in lists.read_lines(path, f"Could not open {path}", "Correct the list."):
        words = line.split()
        if len(words) != 5 or not all(re.fullmatch(r"-?\d+(\.\d*)?", word) for word in words):
            raise DataError(
                f"{path}:{number}: '{line.strip()}' found, expected `class xmin ymin xmax ymax`. Correct the line."
            )
        rows.append((int(float(words[0])), *_shares([float(word) for word in words[1:]], height, width, path), False))
    return numbered(rows)


def of_mask(path: str) -> np.ndarray:
    """(n, 7) rows of a label picture: a box for each connected part of a class; 0 is background, 255 nothing."""
    return of_labels(label_picture(path))


def of_labels(labels: np.ndarray) -> np.ndarray:
    """(n, 7) rows of a label map, height × width: a box for each connected part of a class."""
    from scipy import ndimage

    height, width = labels.shape
    rows: list[tuple[float, ...]] = []
    for label in np.unique(labels):
        if label in (BACKGROUND, VOID):
            continue
        parts, _ = ndimage.label(labels == label, structure=np.ones((3, 3)))
        for down, right in ndimage.find_objects(parts):
            box = right.start / width, down.start / height, right.stop / width, down.stop / height
            rows.append((int(label), *box, False))
    return numbered(rows)


def numbered(rows: list[tuple[float, ...]]) -> np.ndarray:
    """(n, 7): rows of class, box and difficult, with the number that each has among its class."""
    counts: dict[float, int] = {}
    found = []
    for label, *rest in rows:
        number = counts[label] = counts.get(label, -1) + 1
        found.append((label, number, *rest))
    return np.array(found, np.float32).reshape(-1, 7)


def _shares(box: list[float], height: float, width: float, path: str) -> list[float]:
    left, top, right, lower = box
    if height <= 0 or width <= 0 or not (left <= right and top <= lower):
        raise DataError(
            f"{path}: a box {box} of an image of {height:g} × {width:g} pixels; xmin ≤ xmax, ymin ≤ ymax."
            " Correct the box."
        )
    return [left / width, top / height, right / width, lower / height]
