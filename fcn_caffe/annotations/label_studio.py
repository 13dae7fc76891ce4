"""Label Studio's export of brush labels to PNG: a black and white mask for each region, named after its task's number.

Which image a task is of stands only in Label Studio's JSON (or JSON-MIN) export, which belongs into the same folder.
"""

from __future__ import annotations

import functools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from fcn_caffe.annotations import documents
from fcn_caffe.annotations.found import Annotation, Annotations, Painted
from fcn_caffe.annotations.regions import Region
from fcn_caffe.data_layers.segdata import files, pairs

_MASK = re.compile(r"task-(\d{1,12})-annotation-(\d{1,12})-by-[^-]*-[^-]+-(.+)-(\d+)\.png", re.IGNORECASE)
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
"""How an uploaded file is called: eight digits come before its own name."""
HALF = 128


def is_one(names: Sequence[str]) -> bool:
    """Whether files with these names are such masks."""
    return any(map(_MASK.fullmatch, names))


def read(folder: str, paths: Sequence[str], documents_there: Sequence[str]) -> Annotations:
    """The masks among files; of several annotations of one image, the newest counts.

    documents_there: the JSON files in the folder. Raises ValueError where nothing says which images these are.
    """
    found = Annotations("Label Studio's masks", ("mask", "masks"))
    tasks: dict[int, dict[int, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        match = _MASK.fullmatch(os.path.basename(path))
        if match:
            name = documents.class_name(match[3], f"'{path}'")
            tasks[int(match[1])][int(match[2])].append((name, path))
        elif pairs.is_image(path):
            found.left_out["images that are no masks of Label Studio"] += 1
    images = _images(documents_there)
    if not images:
        raise ValueError(
            f"'{folder}' has masks of Label Studio, which tell the numbers of tasks, and no JSON file that tells which "
            "image a task is of. Export the project as JSON, too, and put the file into this folder."
        )
    for task, annotated in sorted(tasks.items()):
        found.left_out["older annotations of an image"] += len(annotated) - 1
        masks = sorted(annotated[max(annotated)])
        for name, _ in masks:
            found.count(name)
        names = images.get(task, ()) or (f"task {task}, which the JSON file does not have",)
        found.items.append(Annotation(names, None, f"'{masks[0][1]}'", functools.partial(_paint, masks)))
    found.left_out = +found.left_out
    found.names.sort()
    return found


def _paint(masks: Sequence[tuple[str, str]], width: int, height: int) -> Painted:
    for name, path in masks:
        values = files.read_image(path)[:, :, 0]
        if values.shape != (height, width):
            raise ValueError(
                f"'{path}' is {values.shape[1]}×{values.shape[0]}, expected the image's {width}×{height}. Is it the "
                "mask of another version of the image?"
            )
        yield name, Region(0, 0, values >= HALF)


def _images(paths: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """What the image of each task may be called."""
    found: dict[int, tuple[str, ...]] = {}
    for path in paths:
        values = documents.read(path)
        for task in values if isinstance(values, list) else []:
            if isinstance(task, dict) and isinstance(task.get("id"), int):
                data = task["data"] if isinstance(task.get("data"), dict) else task
                names = [_name(value) for value in data.values() if isinstance(value, str) and _is_image(value)]
                found[task["id"]] = tuple(spelled for name in names for spelled in _spellings(name))
    return found


def _name(address: str) -> str:
    """The path in an address: what follows `?d=`, or what comes before `?`."""
    before, _, query = unquote(address).partition("?")
    return query[2:] if query.startswith("d=") else before


def _is_image(value: Any) -> bool:
    return pairs.is_image(_name(value))


def _spellings(name: str) -> tuple[str, ...]:
    folder, file = os.path.split(name)
    uploaded = _UPLOADED.fullmatch(file)
    return (name, os.path.join(folder, uploaded[1])) if uploaded else (name,)
