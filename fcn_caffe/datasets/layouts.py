"""Layouts of data sets: the places of images, labels and lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import caffe
from fcn_caffe.data_layers.segdata import classes, files, own_pictures, pairs
from fcn_caffe.data_layers.segdata.labels import Colour
from fcn_caffe.data_layers.segdata.splits import Entry, read_images
from fcn_caffe.datasets import camvid, seg11valid
from fcn_caffe.datasets.published_data import SOURCES

IMAGES = ("images", "image", "imgs", "img", "JPEGImages")
LABELS = ("labels", "label", "masks", "mask", "annotations", "SegmentationClass")


@dataclass
class Layout:
    """A data set to look over.

    splits: each list's names. image, label: the paths for a name.
    read: gives the label of a name as classes, where labels are no image files (and raises ValueError for values that
        are none); None: they are image files, and what they hold is to be found out.
    n_classes, names, colours: what is known of the classes; None or empty where nothing is.
    elsewhere: lists of other data sets, which images to train on must not be in.
    training: the lists of images to train on; None: those with "train" in their names.
    upright: whether images are turned as their EXIF orientation says.
    own_classes: whether somebody said which classes there are, so that one of which nothing is shown is a mistake,
        unless `allow_absent`.
    """

    title: str
    splits: dict[str, list[str]]
    image: Callable[[str], str]
    label: Callable[[str], str]
    read: Callable[[str], np.ndarray] | None = None
    n_classes: int | None = None
    names: tuple[str, ...] = ()
    colours: dict[Colour, int] = field(default_factory=dict)
    elsewhere: dict[str, list[str]] = field(default_factory=dict)
    training: tuple[str, ...] | None = None
    upright: bool = True
    own_classes: bool = False
    allow_absent: bool = False

    def take(self, lists: dict[str, list[Entry]]) -> None:
        """Have these lists instead, some of whose images have labels of other names."""
        self.splits = {split: [image for image, _ in entries] for split, entries in lists.items()}
        others = {image: label for entries in lists.values() for image, label in entries if label is not None}
        own = self.label
        self.label = lambda name: own(others.get(name, name))

    def trains(self, split: str) -> bool:
        """Whether the images of a list are to train on."""
        return "train" in split if self.training is None else split in self.training


def find(
    name: str | None, folder: Path | None, images: Path | None, labels: Path | None, class_list: str | None
) -> Layout:
    """The layout of a data set by its name, of a folder, or of a folder of images and one of labels.

    class_list: how many classes there are, or a file with their names. Raises ValueError or FileNotFoundError for what
    cannot be a data set.
    """
    if images and labels:
        found = _folders(images, labels)
    elif name is not None and name in _LAYERS:
        found = _LAYERS[name](folder or Path(SOURCES[name].target))
    elif folder:
        found = _folder(folder)
    elif name is not None and name in SOURCES:
        found = _folder(Path(SOURCES[name].target))
    else:
        raise ValueError(f"{name}: no data set of that name. There are {', '.join(SOURCES)}; or give --dir.")
    _name_classes(found, name, class_list)
    return found


def _name_classes(layout: Layout, name: str | None, class_list: str | None) -> None:
    if class_list is None:
        layout.own_classes = bool(layout.names) and layout.read is None
        if name in _CLASSES and not layout.names:
            layout.names = _CLASSES[name]()
    elif class_list.isdecimal():
        layout.own_classes = layout.read is None
        layout.n_classes = int(class_list)
        if len(layout.names) not in (0, layout.n_classes):
            raise ValueError(
                f"{layout.title} has a classes.txt with {len(layout.names)} classes, but --classes says {class_list}. "
                "Correct one of them."
            )
    else:
        listed = classes.read(class_list)
        layout.own_classes = layout.read is None
        layout.names, layout.colours = listed.names, listed.colours
    if layout.names:
        layout.n_classes = len(layout.names)


def _folder(folder: Path) -> Layout:
    """The layout of a folder, by its subfolders: PASCAL VOC's, SegNet's, or images and labels."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder '{folder}', expected a data set. Correct the path, or fetch it.")
    lists = sorted((folder / "ImageSets" / "Segmentation").glob("*.txt"))
    if lists:
        found = _voc(folder, [path.stem for path in lists])
    elif (folder / "train").is_dir() and (folder / "trainannot").is_dir():
        found = _segnet(folder)
    else:
        inside = {path.name for path in folder.iterdir()}
        images, labels = ([name for name in names if name in inside] for names in (IMAGES, LABELS))
        if not images or not labels:
            raise ValueError(
                f"'{folder}' has {', '.join(sorted(inside)[:8]) or 'nothing'}, expected PASCAL VOC's layout "
                "(JPEGImages, SegmentationClass, ImageSets/Segmentation) or folders images and labels. Name them with "
                "--images and --labels."
            )
        found = _folders(folder / images[0], folder / labels[0])
    return _with_names(found, folder)


def _with_names(layout: Layout, folder: Path) -> Layout:
    if (folder / "classes.txt").is_file():
        layout.names = classes.read(str(folder / "classes.txt")).names
    return layout


def to_train_on(folder: Path, train: str, val: str, n_classes: int) -> Layout:
    """Two lists of a folder in PASCAL VOC's layout, to train on and to score, with so many classes."""
    found = _with_names(_voc(folder, (train, val)), folder)
    found.training = (train,)
    _name_classes(found, None, str(n_classes))
    return found


def voc_names(folder: Path, split: str) -> list[str]:
    """The images that a list of a folder in PASCAL VOC's layout names."""
    path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    return read_images(str(path), "", lambda name: os.path.exists(_voc_image(folder, name)))


def _voc_image(folder: Path, name: str) -> str:
    return files.find_image(str(folder / "JPEGImages" / name))


def _voc(folder: Path, splits: Iterable[str]) -> Layout:
    return Layout(
        f"{folder} (PASCAL VOC's layout)",
        {split: voc_names(folder, split) for split in splits},
        lambda name: _voc_image(folder, name),
        lambda name: files.find_label(str(folder / "SegmentationClass" / name)),
    )


def _folders(images: Path, labels: Path) -> Layout:
    """All that two folders have, paired by name; what has no partner is missing it."""
    pictures, maps = pairs.by_stem(str(images), "images"), pairs.by_stem(str(labels), "labels")
    return Layout(
        f"{images} and {labels}",
        {"all": sorted({*pictures, *maps})},
        lambda name: pictures.get(name, str(images / name)),
        lambda name: maps.get(name, str(labels / name)),
    )


def _segnet(folder: Path) -> Layout:
    """train/, trainannot/ and so on; a name is that of the list, a slash, and the file's."""
    splits = {
        split: [
            f"{split}/{path.stem}"
            for path in sorted((folder / split).glob("*.png"))
            if not own_pictures.is_own(str(path))
        ]
        for split in camvid.SPLITS
        if (folder / split).is_dir()
    }
    return Layout(
        f"{folder} (SegNet's layout)",
        splits,
        lambda name: str(folder / f"{name}.png"),
        lambda name: str(folder / f"{name.replace('/', 'annot/', 1)}.png"),
    )


def _layer(cls: Any, **settings: Any) -> Any:
    """A data layer that reads files as in training, set up as a net would."""
    layer = cls.__new__(cls)
    layer.param_str, layer.phase = repr({"mean": (0, 0, 0), **settings}), caffe.TEST
    layer.setup([], [None] * (3 if "siftflow_dir" in settings else 2))
    return layer


def _of_layers(title: str, layers: dict[str, Any], read: Callable[[Any, str], np.ndarray], names: Any) -> Layout:
    """A data set as its own data layers, one for each list, find and read it."""
    first = next(iter(layers.values()))
    return Layout(
        title,
        {split: layer.indices for split, layer in layers.items()},
        first.image_file,
        first.label_file,
        lambda name: read(first, name)[0],
        names=tuple(names),
    )


def _sbd(folder: Path) -> Layout:
    from fcn_caffe.data_layers.voc_layers import CLASSES, SBDDSegDataLayer

    layers = {split: _layer(SBDDSegDataLayer, sbdd_dir=str(folder), split=split) for split in ("train", "val")}
    found = _of_layers(f"{folder} (SBD)", layers, lambda layer, name: layer.load_label(name), CLASSES)
    found.elsewhere = {"seg11valid": seg11valid.names()}
    return found


def _nyud(folder: Path) -> Layout:
    from fcn_caffe.data_layers.nyud_layers import CLASSES, NYUDSegDataLayer

    layers = {
        split: _layer(NYUDSegDataLayer, nyud_dir=str(folder), split=split, tops=["color", "label"])
        for split in ("train", "val", "test")
    }
    return _of_layers(f"{folder} (NYUDv2)", layers, lambda layer, name: layer.load_label(name), CLASSES)


def _siftflow(folder: Path) -> Layout:
    from fcn_caffe.data_layers.siftflow_layers import SEMANTIC, SIFTFlowSegDataLayer

    def read(layer: Any, name: str) -> np.ndarray:
        layer.load_geometric(name)
        return layer.load_semantic(name)

    layers = {
        split: _layer(SIFTFlowSegDataLayer, siftflow_dir=str(folder), split=split) for split in ("trainval", "test")
    }
    for layer in layers.values():
        layer.label_file = layer.image_file
    return _of_layers(f"{folder} (SIFT Flow, semantic labels)", layers, read, SEMANTIC)


def _pascalcontext(folder: Path) -> Layout:
    from fcn_caffe.data_layers.pascalcontext_layers import VALUES, PASCALContextSegDataLayer

    voc_dir = os.path.dirname(SOURCES["voc2010"].target)
    layers = {
        split: _layer(PASCALContextSegDataLayer, voc_dir=voc_dir, context_dir=str(folder), split=split)
        for split in ("train", "val")
    }
    title, names = f"{folder} (PASCAL-Context, 59 classes)", ("background", *VALUES)
    return _of_layers(title, layers, lambda layer, name: layer.load_label(name), names)


_LAYERS: dict[str | None, Callable[[Path], Layout]] = {
    "sbd": _sbd,
    "nyudv2": _nyud,
    "nyudv2-labeled": _nyud,
    "siftflow": _siftflow,
    "pascalcontext": _pascalcontext,
}


def _voc_classes() -> tuple[str, ...]:
    from fcn_caffe.data_layers.voc_layers import CLASSES

    return CLASSES


_CLASSES: dict[str | None, Callable[[], tuple[str, ...]]] = {
    **dict.fromkeys(("voc2010", "voc2011", "voc2012"), _voc_classes),
    "camvid": lambda: camvid.CLASSES,
}
