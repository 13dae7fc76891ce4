"""A small data set in VOC's layout and as two folders, and the layers that read it."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image

from tests.faults.child import Input

SIZE = (9, 11)
NAMES = ("one", "two", "three")
CLASSES = "background\nthing\nother\n"
COLOURED = "background 0 0 0\nthing 255 0 0\nother 0 255 0\nvoid 255 255 255\n"
_VOC = "{'voc_dir': 'voc/VOC2011', 'split': 'train', 'mean': (104.0, 116.5, 122), 'seed': 1337, 'n_classes': 3}"
_FOLDER = "{'images': 'images', 'labels': 'labels', 'classes_file': 'classes.txt', 'split': 'train.txt', 'seed': 3}"
_COLOUR = "{'images': 'images', 'labels': 'colours', 'classes_file': 'coloured.txt', 'prefetch': 0, 'mirror': True}"

SETTINGS = {
    "voc": ("voc_layers", "VOCSegDataLayer", _VOC, ("data", "label")),
    "folder": ("folder_layers", "FolderSegDataLayer", _FOLDER, ("data", "label")),
    "colour": ("folder_layers", "FolderSegDataLayer", _COLOUR, ("data", "label")),
}
"""Module, layer, param_str and tops."""


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def net_of(which: str) -> bytes:
    """A net with that layer alone."""
    module, layer, settings, tops = SETTINGS[which]
    ends = " ".join(f'top: "{top}"' for top in tops)
    python = f'python_param {{ module: "{module}" layer: "{layer}" param_str: "{settings}" }}'
    return f'layer {{ name: "data" type: "Python" {ends} {python} }}'.encode()


@functools.cache
def tree() -> Input:
    """The files of the data set."""
    rng = np.random.RandomState(0)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [255, 255, 255]], np.uint8)
    files: Input = {}
    for name in NAMES:
        image, label = rng.randint(0, 256, (*SIZE, 3)).astype(np.uint8), rng.randint(0, 3, SIZE).astype(np.uint8)
        label[0, 0] = 255
        files[f"images/{name}.png"] = encoded(image)
        files[f"labels/{name}.png"] = encoded(label)
        files[f"colours/{name}.png"] = encoded(colours[np.minimum(label, 3)])
        files[f"voc/VOC2011/JPEGImages/{name}.jpg"] = encoded(image, "JPEG")
        files[f"voc/VOC2011/SegmentationClass/{name}.png"] = encoded(label)
    listed = "\n".join(NAMES).encode() + b"\n"
    for split in ("train", "val", "trainval", "seg11valid"):
        files[f"voc/VOC2011/ImageSets/Segmentation/{split}.txt"] = listed
    return {**files, "train.txt": listed, "classes.txt": CLASSES.encode(), "coloured.txt": COLOURED.encode()}


def trees() -> list[Input]:
    """The data set with a net for each of its layers."""
    return [{**tree(), "net.prototxt": net_of(which)} for which in SETTINGS]
