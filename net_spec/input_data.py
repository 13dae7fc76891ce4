"""The data sets: the Python layer that reads each one, and its tops.

Paths are relative to the root of the checkout, from where everything is run: `data/pascal/VOC2011` is what the
published nets call `../data/pascal/VOC2011` from a folder of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.fcn import Head

MEAN = (104.00699, 116.66877, 122.67892)
"""Of ILSVRC's training images: blue, green, red."""

SEED = 1337
DEPLOY = "deploy"
FOLDERS = ("images", "labels", "edges")
"""Settings that name folders, besides those that end in `_dir`."""
"""The phase, and the file, of the net that is used."""


@dataclass(frozen=True)
class DataSplit:
    """One part of a data set: its Python layer and settings, the name of the net's file, and how many images it has."""

    layer: str
    params: dict[str, Any]
    file: str
    images: int

    @property
    def folders(self) -> list[str]:
        """Where it reads images and labels from."""
        return [str(value) for key, value in self.params.items() if key.endswith("_dir") or key in FOLDERS]


@dataclass(frozen=True)
class DataSet:
    """The inputs and labels of a net.

    inputs: blobs and their channels; several are joined to `data`, or kept apart for late fusion.
    first: what the name of the first convolution ends in, where the input is not BGR (`Form.first`).
    size: height and width of the deploy net's example input.
    """

    module: str
    train: DataSplit
    val: DataSplit
    heads: tuple[Head, ...]
    inputs: dict[str, int] = field(default_factory=lambda: {"data": 3})
    first: str = ""
    size: tuple[int, int] = (500, 500)

    def feed(self, n: NetSpec, phase: str, **training: Any) -> None:
        """Puts in what gives `n` its inputs in a phase: nothing but their shapes to deploy, or the layer that reads.

        training: settings that the layer has in training besides the data set's own.
        """
        if phase == DEPLOY:
            self.accept(n)
        elif phase == self.train.file:
            self.read(n, replace(self.train, params={**self.train.params, **training}))
        else:
            self.read(n, self.val)

    def read(self, n: NetSpec, split: DataSplit) -> None:
        """Puts the layer that reads `split` into `n`, with a blob for each input and each label."""
        blobs = [*self.inputs, *(head.label for head in self.heads)]
        tops = L.Python(module=self.module, layer=split.layer, param_str=repr(split.params), ntop=len(blobs))
        for index, blob in enumerate(blobs):
            n[blob] = tops[index]

    def accept(self, n: NetSpec) -> None:
        """Puts inputs to be filled from outside into `n`."""
        for blob, channels in self.inputs.items():
            n[blob] = input_layer(blob, (1, channels, *self.size))


def input_layer(blob: str, shape: tuple[int, ...]) -> Top:
    """An Input layer: `input` if it makes `data`, as in the published deploy net, otherwise called after its blob."""
    return L.Input(input_param={"shape": {"dim": list(shape)}}, name="input" if blob == "data" else blob)


def data_set(
    params: dict[str, Any],
    train: tuple[str, int],
    val: tuple[str, int],
    head: Head,
    module: str = "voc_layers",
    layer: str = "VOCSegDataLayer",
    mirror: bool = False,
) -> DataSet:
    """A data set of which one Python layer reads both splits; unless `layer` says other, in PASCAL VOC's layout.

    params: the layer's settings, `voc_dir` first of all; mean and seed are the usual ones unless given.
    train, val: the name of each split and how many images it has.
    mirror: whether every other training image, by chance, is mirrored.
    """

    def split(name: str, images: int, file: str, **more: Any) -> DataSplit:
        return DataSplit(layer, {**params, "split": name, "mean": MEAN, "seed": SEED, **more, **params}, file, images)

    mirrored: dict[str, Any] = {"mirror": True} if mirror else {}
    return DataSet(module, split(*train, "train", **mirrored), split(*val, "val"), (head,))


VOC = DataSet(
    "voc_layers",
    DataSplit(
        "SBDDSegDataLayer",
        {"sbdd_dir": "data/sbdd/dataset", "split": "train", "mean": MEAN, "seed": SEED},
        "train",
        8498,
    ),
    DataSplit(
        "VOCSegDataLayer",
        {"voc_dir": "data/pascal/VOC2011", "split": "seg11valid", "mean": MEAN, "seed": SEED},
        "val",
        736,
    ),
    (Head(21),),
)

SQUARE = 512
"""A multiple of 32 that holds every image of VOC."""


def on_squares(data: DataSet) -> DataSet:
    """The same on squares of one size, for nets whose layers say the sizes of maps."""
    train, val = (replace(each, params={**each.params, "square": SQUARE}) for each in (data.train, data.val))
    return replace(data, train=train, val=val, size=(SQUARE, SQUARE))


VOC_SQUARE = on_squares(VOC)


def _nyud(tops: tuple[str, ...], inputs: dict[str, int], first: str = "") -> DataSet:
    def split(name: str, images: int) -> DataSplit:
        params = {"nyud_dir": "data/nyud", "split": name, "tops": [*tops, "label"], "seed": SEED}
        return DataSplit("NYUDSegDataLayer", params, name, images)

    return DataSet("nyud_layers", split("trainval", 795), split("test", 654), (Head(40),), inputs, first)


NYUD_COLOR = _nyud(("color",), {"data": 3})
NYUD_HHA = _nyud(("hha",), {"data": 3})
NYUD_COLOR_D = _nyud(("color", "depth"), {"color": 3, "depth": 1}, first="_bgrd")
NYUD_COLOR_HHA = _nyud(("color", "hha"), {"color": 3, "hha": 3})


def _depth(folder: str, train: tuple[str, int], val: tuple[str, int]) -> DataSet:
    """Colour, and the depth to learn, in NYUDv2's layout."""

    def split(name: str, images: int) -> DataSplit:
        params = {"nyud_dir": folder, "split": name, "tops": ["color", "metres"], "seed": SEED}
        return DataSplit("NYUDSegDataLayer", params, name, images)

    return DataSet("nyud_layers", split(*train), split(*val), (Head(1, label="depth"),))


NYUD_DEPTH = _depth("data/nyud", ("trainval", 795), ("test", 654))
DEMO_DEPTH = _depth("out/demo/data/depth", ("train", 200), ("val", 40))


def _siftflow(name: str, images: int) -> DataSplit:
    params = {"siftflow_dir": "data/sift-flow", "split": name, "seed": SEED}
    return DataSplit("SIFTFlowSegDataLayer", params, name, images)


SIFTFLOW = DataSet(
    "siftflow_layers",
    _siftflow("trainval", 2486),
    _siftflow("test", 200),
    (Head(33, "sem", "_sem"), Head(3, "geo", "_geo", "loss_geo")),
)


def _pascalcontext(classes: int, **task: Any) -> DataSet:
    def split(name: str, images: int) -> DataSplit:
        params = {"voc_dir": "data/pascal", "context_dir": "data/pascal-context", "split": name, "seed": SEED, **task}
        return DataSplit("PASCALContextSegDataLayer", params, name, images)

    return DataSet("pascalcontext_layers", split("train", 4998), split("val", 5105), (Head(classes),))


PASCALCONTEXT = _pascalcontext(60)
"""59 classes and, as in the published nets, the background."""

PASCALCONTEXT33 = _pascalcontext(33, task=33, background=False)
"""33 classes; what is none of them is void."""

VOC7 = data_set(
    {"voc_dir": "data/voc", "classes": [0, 8, 10, 12, 13, 15, 17]},
    ("train", 1000),
    ("seg11valid", 228),
    Head(7, renamed=True),
    mirror=True,
)
"""VOC's background, cat, cow, dog, horse, person and sheep, as classes 0 to 6; every other class is void."""

CAMVID = data_set({"voc_dir": "data/camvid"}, ("train", 367), ("val", 101), Head(11, renamed=True), mirror=True)


def _bsds(file: str, images: str, edges: str, count: int, **more: Any) -> DataSplit:
    folder = "data/HED-BSDS/"
    params = {"images": folder + images, "edges": folder + edges, "mean": MEAN, "seed": SEED, **more}
    return DataSplit("EdgeFolderDataLayer", params, file, count)


BSDS = DataSet(
    "edge_folder_layers",
    _bsds("train", "train/aug_data", "train/aug_gt", 28800, split="data/HED-BSDS/train_pair.lst"),
    _bsds("val", "test/images", "test/edges", 200, randomize=False),
    (Head(2, label="edges"),),
)
"""BSDS500 as HED's authors pass it on, augmented, in pairs of files; the test images beside pictures of their edges."""

DEMO_CLASSES = 6
DEMO = data_set({"voc_dir": "out/demo/data/VOC"}, ("train", 400), ("val", 60), Head(DEMO_CLASSES))
