"""Annotations of other programs, as fcn new takes them, over photos of the same names."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults import texts
from tests.faults.child import Input, Reader

WIDTH, HEIGHT, NAMES = 12, 9, ("one", "two")
_SQUARE, _TRIANGLE = [[1, 1], [6, 1], [6, 5], [1, 5]], [[2.5, 3], [11, 4], [4, 8]]
_COLOURS = {"cat": [250, 0, 0], "dog": [0, 0, 250]}
_KEYS = ("points", "label", "shape_type", "mask", "segmentation", "counts", "size", "image_id", "category_id", "id")
_WORDS = (
    *(f'"{key}"' for key in _KEYS),
    '"polygon"',
    '"circle"',
    '"rectangle"',
    '"mask"',
    "1e300",
    "[[1, 2]]",
    '"PPYo0"',
)


def _png(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(values).save(content, "PNG")
    return content.getvalue()


def _mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2:5, 3:9] = 1
    return mask


def _photos() -> Input:
    rng = np.random.RandomState(0)
    return {f"photos/{name}.png": _png(rng.randint(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)) for name in NAMES}


def _coco() -> list[Input]:
    images = [{"id": i, "file_name": f"{name}.png", "width": WIDTH, "height": HEIGHT} for i, name in enumerate(NAMES)]
    columns = _mask().T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], columns, [0]]).astype(int)))
    counts = np.diff(np.concatenate([[0], edges, [columns.size]])).tolist()
    size = [HEIGHT, WIDTH]
    shapes = [[sum(_SQUARE, []), sum(_TRIANGLE, [])], {"size": size, "counts": counts}, {"size": size, "counts": "\\3"}]
    annotations = [
        {"id": i, "image_id": i % 2, "category_id": 5 + i % 2, "segmentation": shape, "iscrowd": int(i == 1)}
        for i, shape in enumerate(shapes)
    ]
    annotations[2]["segmentation"]["counts"] = "00\\3"  # 0 and 108 pixels
    values = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}],
    }
    return [{**_photos(), "labels.json": json.dumps(values).encode()}]


def _labelme() -> list[Input]:
    mask = base64.b64encode(_png(_mask()[:3, :4] * 255)).decode()
    shapes = [
        {"label": "cat", "points": _SQUARE, "shape_type": "polygon"},
        {"label": "dog", "points": [[3, 3], [5, 4]], "shape_type": "circle"},
        {"label": "cat", "points": [[1, 1], [4, 6]], "shape_type": "rectangle"},
        {"label": "dog", "points": [[2, 2], [6, 5]], "shape_type": "mask", "mask": mask},
        {"label": "cat", "points": [[2, 2]], "shape_type": "point"},
    ]
    values = {"shapes": shapes, "imagePath": "one.png", "imageWidth": WIDTH, "imageHeight": HEIGHT}
    files = {f"labels/{name}.json": json.dumps({**values, "imagePath": f"{name}.png"}).encode() for name in NAMES}
    return [{**_photos(), **files}]


def _coloured(folder: str, listed: str, content: str) -> list[Input]:
    colours = np.array([[0, 0, 0], *_COLOURS.values()], np.uint8)[_mask() + np.eye(HEIGHT, WIDTH, dtype=np.uint8)]
    masks = {f"labels/{folder}/{name}.png": _png(colours) for name in NAMES}
    return [{**_photos(), **masks, f"labels/{listed}": content.encode()}]


def _label_studio() -> list[Input]:
    tasks = [{"id": i, "data": {"image": f"/data/upload/1/0123abcd-{name}.png"}} for i, name in enumerate(NAMES)]
    masks = {
        f"labels/task-{i}-annotation-1-by-1-tag-{name}-0.png": _png(_mask() * 255) for i in (0, 1) for name in _COLOURS
    }
    return [{**_photos(), **masks, "labels/tasks.json": json.dumps(tasks).encode()}]


def _any(suffix: str) -> Callable[[Input, random.Random], Input]:
    """Damage to one of the files with this ending, below or beside the labels."""

    def change(files: Input, draw: random.Random) -> Input:
        name = draw.choice(sorted(name for name in files if name.endswith(suffix) and not name.startswith("photos/")))
        return texts.damage(name, _WORDS)(files, draw)

    return change


def _read(folder: Path) -> None:
    from fcn_caffe.annotations import take
    from fcn_caffe.data_layers.segdata import pairs

    labels = next(path for path in (folder / "labels.json", folder / "labels") if path.exists())
    images = pairs.by_stem(str(folder / "photos"), "images")
    (folder / "task").mkdir()
    take.take(images, str(labels), take.AUTO, folder / "task", True)


READERS = (
    Reader("coco", _coco, _any(".json"), _read),
    Reader("labelme", _labelme, _any(".json"), _read),
    Reader("label-studio", _label_studio, _any(".json"), _read),
    Reader(
        "supervisely",
        lambda: _coloured("masks_machine", "obj_class_to_machine_color.json", json.dumps(_COLOURS)),
        _any(".json"),
        _read,
    ),
    Reader(
        "cvat",
        lambda: _coloured("SegmentationClass", "labelmap.txt", "background:0,0,0::\ncat:250,0,0::\ndog:0,0,250::\n"),
        _any(".txt"),
        _read,
    ),
)
