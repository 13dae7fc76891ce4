"""Any folder of images and folder of label images, paired by name."""

from __future__ import annotations

import os

import numpy as np

from fcn_caffe.data_layers.segdata import classes, files, labels, pairs, params, splits
from fcn_caffe.data_layers.segdata.layer import ILSVRC_MEAN, SegDataLayer


class FolderSegDataLayer(SegDataLayer):
    """Images under `images`, and under `labels` a label image for each, with the same name but for the ending, also in
    folders below: images/a/1.jpg and labels/a/1.png.

    classes_file   a list of the classes, one a line (segdata/classes.py). With lines `name`, labels are palette or gray
                   images of class indices 0, 1, 2, … and 255 for void. With lines `name red green blue`, they are
                   images of these colours; a line `void red green blue` gives void's.
    n_classes      instead of `classes_file`: how many classes the labels have, as indices
    split          a file with the names to take, one a line, with or without endings and folders; beside a name, the
                   label where that has another name (segdata/splits.py); default: all of them, in alphabetical order
    randomize      default: True if the split file has "train" in its own name, otherwise False
    mean           default: that of ILSVRC, with whose images base nets are trained

    For the other settings, and the tops, see SegDataLayer.
    """

    requires = ("images", "labels")
    accepts = ("classes_file", "n_classes")
    own_mean = ILSVRC_MEAN

    def prepare(self) -> None:
        given = [key for key in self.accepts if self.settings.get(key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{self.who}: param_str has {' and '.join(given) or 'neither classes_file nor n_classes'}, expected "
                "one of classes_file and n_classes. Say with one of them which classes the labels have."
            )
        listed = classes.read(self.folder("classes_file")) if given == ["classes_file"] else classes.ClassList((), {})
        self.colours = labels.ColourMap(listed.colours) if listed.colours else None
        n_classes = params.n_classes(self.settings, len(listed.names), self.who)
        self.label_map = self.map_labels(labels.from_zero(n_classes), n_classes)
        self.images = pairs.by_stem(self.folder("images"), "images")
        self.labels = pairs.by_stem(self.folder("labels"), "labels")

    def trains(self) -> bool:
        return bool(self.settings.get("randomize", "train" in os.path.basename(self.split)))

    def split_file(self) -> str:
        return self.split or self.folder("images")

    def names(self) -> list[str]:
        if not self.split:
            names = list(self.images)
        else:
            listed = splits.read_entries(self.split, self.who, self.images.__contains__, self.labels.__contains__)
            names = [image for image, _ in listed]
            named = {image: label for image, label in listed if label is not None}
            pairs.check_named(named.values(), self.labels, f"'{self.split_file()}'")
            self.labels.update({image: self.labels[label] for image, label in named.items()})
        pairs.check_partners(names, self.images, self.labels, f"'{self.split_file()}'")
        return names

    def image_file(self, name: str) -> str:
        return self.images[name]

    def label_file(self, name: str) -> str:
        return self.labels[name]

    def read_label(self, path: str) -> np.ndarray:
        return self.colours(files.read_colours(path, self.upright), path) if self.colours else super().read_label(path)
