"""Makes the labels from boxes that a row of the catalogue is trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

import caffe
from fcn_caffe.boxes import box, labels
from fcn_caffe.data_layers.segdata.files import read_image
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.data_layers.segdata.layer import planes
from fcn_caffe.net_spec.boxed import Boxed
from fcn_caffe.pictures import drawing
from fcn_caffe.pictures.legend import reader
from fcn_caffe.progress import progress
from fcn_caffe.scoring import metrics
from fcn_caffe.variants.build import published
from fcn_caffe.whole_files import read_json, write_json

ABOUT = "labels.json"
"""The file beside the labels that says how they were made."""


def prepare(row: Boxed, weights: Optional[Path] = None, every: int = 1) -> list[str]:
    """Make the labels of a row's training images, of every so many-th, that are not there yet; the images' names.

    weights: of the net whose scores choose, where that is how they are made. Masks serve to make the boxes, and for
    nothing else. Raises ValueError for a folder of labels that were made in another way.
    """
    layer, folder = masks_of(row), Path(row.label_dir)
    _check_about(row, folder, weights)
    names = layer.indices[::every]
    left = [name for name in names if not (folder / f"{name}.png").exists()]
    scores = _scorer(row, weights) if left and row.kind == "chosen" else None
    with progress(f"labels of boxes ({row.kind})", "images", len(left)) as advance:
        for name in left:
            boxes = box.of_mask(layer.read_label(layer.label_file(name)))
            image = read_image(layer.image_file(name), layer.upright)
            given = scores(image) if scores else None
            label = labels.of_boxes(image, boxes, row.kind, row.data.train.params.get("classes"), given)
            drawing.save_labels(label, folder / f"{name}.png")
            advance()
    return names


def quality(row: Boxed, names: list[str]) -> np.ndarray:
    """The confusion of the masks with the labels that were made, true class × label; a void label is background."""
    layer, classes = masks_of(row), row.data.heads[0].classes
    hist = np.zeros((classes, classes), np.int64)
    for name in names:
        path = f"{row.label_dir}/{name}.png"
        made = layer.label_map(layer.read_label(path), path)
        truth = layer.load_label(name)[0]
        hist += metrics.confusion(truth, np.where(made == VOID, 0, made), classes)
    return hist


def masks_of(row: Boxed) -> Any:
    """The reader of the row's training images, in their order, with the masks that the boxes are made of."""
    params = {key: value for key, value in row.data.train.params.items() if key not in ("label_dir", "mirror")}
    layer = reader(row).__new__(reader(row))
    layer.param_str, layer.phase = repr({**params, "randomize": False, "prefetch": 0}), caffe.TEST
    layer.setup([], [None, None])
    return layer


def _scorer(row: Boxed, weights: Optional[Path]) -> Any:
    """A function that gives the scores of an image by the values that label files have for the classes."""
    net = published(row.starts[0], "deploy", str(weights))
    params = row.data.train.params

    def scores(image: np.ndarray) -> Mapping[int, np.ndarray]:
        net.blobs["data"].reshape(1, 3, *image.shape[:2])
        net.blobs["data"].data[0] = planes(image[:, :, ::-1], params["mean"])
        net.forward()
        return dict(zip(params["classes"], net.blobs["score"].data[0].copy()))

    return scores


def _check_about(row: Boxed, folder: Path, weights: Optional[Path]) -> None:
    """Write how the labels are made, or see that those there were made so."""
    about = {"kind": row.kind, "settings": dataclasses.asdict(labels.SETTINGS)}
    if row.kind == "chosen":
        about["weights"] = str(weights)
    path = folder / ABOUT
    if path.exists() and read_json(path) != about:
        raise ValueError(
            f"'{folder}' holds labels that were made in another way ('{path}' says how). Remove the folder, or move it "
            "away, to make them anew."
        )
    write_json(path, about)
