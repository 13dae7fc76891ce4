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

_MASK = re.compile(r"task-(\d{1,12})-annotation-(\d{1,12})-by-(.*-.+-.+)-(\d+)\.png", re.IGNORECASE)
"""A mask's name: the numbers of task and annotation, then who made it, with which tool, and the label."""
_PARTS = re.compile(r"(?:[^@]*@.*?\.[A-Za-z]{2,}|[^-]*)-[^-]+-(.+)")
"""Who, tool and label, where nothing is known of them: a number or an address, and no hyphen in the tool."""
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
    exported = [task for path in documents_there for task in _tasks(path)]
    tools = _tools(exported)
    for path in paths:
        match = _MASK.fullmatch(os.path.basename(path))
        if match:
            name = documents.class_name(_label(match[3], tools), f"'{path}'")
            tasks[int(match[1])][int(match[2])].append((name, path))
        elif pairs.is_image(path):
            found.left_out["images that are no masks of Label Studio"] += 1
    images = _images(exported)
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


def _tasks(path: str) -> list[dict[str, Any]]:
    """The tasks in an export."""
    values = documents.read(path)
    listed = values if isinstance(values, list) else []
    return [task for task in listed if isinstance(task, dict) and isinstance(task.get("id"), int)]


def _tools(tasks: Sequence[dict[str, Any]]) -> list[str]:
    """What the tools are called that were used, the longest name first."""
    found: set[str] = set()
    for task in tasks:
        found |= {key for key, value in task.items() if isinstance(value, list) and key != "annotations"}
        annotations = task.get("annotations")
        for annotation in annotations if isinstance(annotations, list) else []:
            results = annotation.get("result") if isinstance(annotation, dict) else None
            for result in results if isinstance(results, list) else []:
                name = result.get("from_name") if isinstance(result, dict) else None
                found |= {name} if isinstance(name, str) else set()
    return sorted(found, key=len, reverse=True)


def _label(words: str, tools: Sequence[str]) -> str:
    """The label in `who-tool-label`, each of which may have hyphens."""
    for tool in tools:
        _, between, label = words.rpartition(f"-{tool}-")
        if between and label:
            return label
    match = _PARTS.fullmatch(words)
    return match[1] if match else words


def _images(tasks: Sequence[dict[str, Any]]) -> dict[int, tuple[str, ...]]:
    """What the image of each task may be called."""
    found: dict[int, tuple[str, ...]] = {}
    for task in tasks:
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
    """As it stands; as it was called before it was uploaded; and with the spaces that it had then."""
    folder, file = os.path.split(name)
    uploaded = _UPLOADED.fullmatch(file)
    if not uploaded:
        return (name,)
    return tuple(os.path.join(folder, each) for each in (file, uploaded[1], uploaded[1].replace("_", " ")))
