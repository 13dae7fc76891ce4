"""Finds the format of the annotations in a file or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Optional

from fcn_caffe.annotations import coco, cvat, documents, label_studio, labelme, supervisely
from fcn_caffe.annotations.found import Annotations
from fcn_caffe.datasets.unpack import unpack

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
LOOKED_AT = 8
"""The number of JSON files of a folder that are read to recognise their format."""
FORMS = "labelme's JSON, COCO's JSON, and the exports of masks of CVAT, Supervisely and Label Studio"


def opened(path: str, folder: Path) -> str:
    """The folder or JSON file with the annotations: an archive is unpacked into `folder`.

    Raises FileNotFoundError, and ValueError for a file of another kind.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no folder or file '{os.path.abspath(path)}' of labels. Correct its name.")
    if os.path.isdir(path) or path.lower().endswith(".json"):
        return path
    if not path.lower().endswith(ARCHIVES):
        raise ValueError(
            f"'{path}' is neither a folder of labels nor a JSON file nor an archive ({', '.join(ARCHIVES)}). Known are "
            f"label images, {FORMS}."
        )
    left_out = unpack(Path(path), folder)
    if left_out:
        print(f"{path}: {len(left_out)} link(s) were left out, such as {left_out[0]}")
    inside = [each for each in folder.iterdir() if not each.name.startswith((".", "__MACOSX"))]
    return str(inside[0] if len(inside) == 1 and inside[0].is_dir() else folder)


def find(path: str) -> Optional[Annotations]:
    """The annotations in a folder or JSON file; None for label images. Raises ValueError for what cannot be used."""
    if os.path.isfile(path):
        return _of_document(path)
    for form in (cvat, supervisely):
        if form.is_one(path):
            return form.read(path)
    names = sorted(_below(path))
    listed = [name for name in names if name.lower().endswith(".json")]
    if label_studio.is_one([os.path.basename(name) for name in names]):
        return label_studio.read(path, names, listed)
    for name in islice(listed, LOOKED_AT):
        values = documents.read(name)
        if labelme.is_one(values):
            return labelme.read(listed, path)
        if coco.is_one(values):
            return _all_of_coco(listed)
    return None


def _all_of_coco(paths: list[str]) -> Annotations:
    """All of COCO's files among those of a folder: one for training and one for scoring, say."""
    found, others = None, 0
    for path in paths:
        values = documents.read(path)
        if not coco.is_one(values):
            others += 1
        elif found is None:
            found = coco.read(path, values)
        else:
            found.add(coco.read(path, values))
    assert found is not None
    if others:
        found.left_out["JSON files that are not COCO's"] += others
    return found


def _of_document(path: str) -> Annotations:
    values = documents.read(path)
    if coco.is_one(values):
        return coco.read(path, values)
    if labelme.is_one(values):
        return labelme.read([path], os.path.dirname(path))
    keys = ", ".join(map(str, islice(values, 6))) if isinstance(values, dict) else f"a {type(values).__name__}"
    raise ValueError(
        f"'{path}' has {keys or 'nothing'}, expected COCO's images, annotations and categories. Known are label "
        f"images, {FORMS}: name the folder for all but COCO's."
    )


def _below(folder: str) -> Iterator[str]:
    """Every file in a folder and those below it, but for what is hidden."""
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(path, name) for name in names if not name.startswith("."))
