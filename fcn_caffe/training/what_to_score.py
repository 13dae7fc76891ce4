"""Finds what fcn score runs: a net with a data layer, its weights, and the blobs to compare."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from fcn_caffe import home
from fcn_caffe.data_layers.segdata import classes
from fcn_caffe.datasets import seg11valid
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.pictures import legend
from fcn_caffe.pictures.class_names import class_names, settings
from fcn_caffe.pictures.legend import Legend
from fcn_caffe.scoring.confusions import ABSENT_EXCLUDED
from fcn_caffe.training import trained
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import Catalogue
from fcn_caffe.variants.loading import keep_no_blobs, load
from fcn_caffe.whole_files import read_json


@dataclass(frozen=True)
class Scored:
    """A net to score.

    heads: for each blob of labels the blob of scores. losses: for each blob of labels the blob of its loss.
    exclude_absent: whether classes that the truth has nowhere are left out of the means.
    legends: names and colours of the classes of each blob of scores, for where the data set is silent.
    """

    net_file: str
    weights: str
    heads: dict[str, str]
    losses: dict[str, str]
    exclude_absent: bool = False
    legends: dict[str, Legend] = field(default_factory=dict)

    def with_blobs(self, label: Optional[str], score: Optional[str]) -> Scored:
        """The same with other blobs to compare, where one is named."""
        if not (label or score):
            return self
        return replace(self, heads={label or "label": score or "score"}, losses={label or "label": "loss"})

    def load(self) -> Any:
        """The net. Raises FileNotFoundError, with the remedy where the papers' list of images is what is missing."""
        try:
            return keep_no_blobs(load(self.net_file, self.weights))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{error}{seg11valid.remedy(error)}") from error

    def names(self, net: Any, score: str, class_file: Optional[str]) -> Optional[list[str]]:
        """The names of the classes that a blob has scores of: those in a file, those of the data set, or those that the
        net was trained for; None where nobody says. Raises ValueError for a file of another number of classes."""
        if score not in net.blobs:
            return None
        n_classes = net.blobs[score].shape[1]
        if class_file is None:
            trained_for = list(self.legends[score].names) if score in self.legends else []
            label = next((label for label, blob in self.heads.items() if blob == score), "label")
            known = class_names(net.layers[0], n_classes, label)
            return known or (trained_for if len(trained_for) == n_classes else None)
        found = list(classes.read(class_file).names)
        if len(found) != n_classes:
            raise ValueError(
                f"'{class_file}' names {len(found)} classes, expected the net's {n_classes}."
                " Name the list of these classes."
            )
        return found

    def colours(self, net: Any, score: str, class_file: Optional[str]) -> np.ndarray:
        """The colours of the classes, 256×3: those in a file, of the data set, or that the net was trained with; else
        VOC's."""
        class_file = class_file or (settings(net.layers[0]) or {}).get("classes_file")
        if score in self.legends and not (class_file and Path(class_file).is_file()):
            return self.legends[score].colours
        return legend.colours(class_file)


def find(name: str, nets: Catalogue, weights: Optional[str] = None, net_file: Optional[str] = None) -> Scored:
    """The val net of a variant, a task, or a snapshot folder (by its path) with its newest weights.

    weights, net_file: others than these. Raises ValueError for an unknown name or a net that learned other classes than
    its variant has now, and FileNotFoundError if there are no weights.
    """
    folder = home.path(name)
    if name not in {**nets.rows, **nets.own_names} and trained.is_there(folder):
        return _in_folder(folder.resolve(), weights, net_file)
    row = nets.find(name)
    weights = weights or str(trained.weights(row))
    if not net_file:
        nets.write(row)
        net_file = nets.net_file(row, row.data.val.file)
    return _of(row, net_file, weights)


def _of(row: Variant, net_file: str, weights: str) -> Scored:
    heads = {head.label: "score" + head.suffix for head in row.data.heads}
    losses = {head.label: head.loss for head in row.data.heads}
    return Scored(net_file, weights, heads, losses, row.data.module in ABSENT_EXCLUDED)


def _in_folder(folder: Path, weights: Optional[str], net_file: Optional[str]) -> Scored:
    path, described = folder / trained.FILE, trained.read(folder)
    try:
        values = read_json(path)
        phase, data = list(values["data"].items())[-1]
        heads = {str(label): str(score) for label, score in values["heads"].items()}
        losses = {label: str(values.get("losses", {}).get(label, "loss")) for label in heads}
        exclude_absent = data["module"] in ABSENT_EXCLUDED
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise trained.damaged(path, error) from error
    weights = weights or str(stages.trained_weights(str(folder)))
    net_file = net_file or str(folder / f"{phase}.prototxt")
    return Scored(net_file, weights, heads, losses, exclude_absent, described.legends if described else {})
