"""Text files that name other files, images and classes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import caffe
from tests.cases import data_files
from tests.faults import texts
from tests.faults.child import Input, Reader
from tests.faults.readers import folders

_NETS = {
    "ImageData": 'image_data_param { source: "sizes.txt" batch_size: 1 }',
    "HDF5Data": 'hdf5_data_param { source: "two.txt" batch_size: 2 }',
    "WindowData": 'window_data_param { source: "windows.txt" batch_size: 4 } transform_param { crop_size: 8 }',
}
_WORDS = (
    "../",
    "/",
    "images/0.png",
    "0.png",
    "#",
    "# 0",
    "a.h5",
    "list.txt",
    "1 2",
    " 3",
    "-1",
    "\t",
    "é.png",
    "image.png",
)
_CLASS_WORDS = (
    "void",
    "void 0 0 0",
    "background",
    "0 0 0",
    "256 0 0",
    "1,2,3",
    "name:1,2,3::",
    "r g b\tname",
    "-1 0 0",
)
_YAML = (
    b"path: x\nnc: 3\nnames:\n  0: one\n  1: 'two'\n  2: three  # the last\nval: y\n",
    b"names: [one, 'two', \"three\",\n  ]\n",
    b"names:\n- one\n- two\n- three\n",
    b"classes: {0: one, 1: two, 2: three}\n",
)
_YAML_WORDS = (
    "names:",
    "classes: [",
    "- ",
    "- a",
    "0: a",
    "2: three",
    "{0: a}",
    "[a, b]",
    "a: b",
    "&a",
    "|",
    "---",
    "# a",
)


def _files(fill: Callable[[Path], object], kind: str) -> list[Input]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    net = f'layer {{ name: "data" type: "{kind}" top: "data" top: "label" {_NETS[kind]} }}'
    return [{**files, "net.prototxt": net.encode()}]


def _read(folder: Path) -> None:
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TRAIN)
    for _ in range(3):
        net.forward()


def _trees(which: str) -> Callable[[], list[Input]]:
    return lambda: [{**folders.tree(), "net.prototxt": folders.net_of(which)}]


def _yaml_trees() -> list[Input]:
    tree = {**folders.tree(), "net.prototxt": folders.net_of("folder")}
    return [{**tree, "classes.txt": content} for content in _YAML]


def _read_classes(folder: Path) -> None:
    from fcn_caffe.data_layers.segdata import classes

    classes.read(str(folder / "coloured.txt"))
    _read(folder)


READERS = (
    Reader("image-list", lambda: _files(data_files.image_list, "ImageData"), texts.damage("sizes.txt", _WORDS), _read),
    Reader("hdf5-list", lambda: _files(data_files.hdf5_files, "HDF5Data"), texts.damage("two.txt", _WORDS), _read),
    Reader("window-list", lambda: _files(data_files.windows, "WindowData"), texts.damage("windows.txt", _WORDS), _read),
    Reader("split", _trees("folder"), texts.damage("train.txt", ("one", "two.png", "../one", "one one")), _read),
    Reader(
        "voc-split", _trees("voc"), texts.damage("voc/VOC2011/ImageSets/Segmentation/train.txt", ("one", "../x")), _read
    ),
    Reader("classes", _trees("colour"), texts.damage("coloured.txt", _CLASS_WORDS), _read_classes),
    Reader("class-names", _trees("folder"), texts.damage("classes.txt", _CLASS_WORDS), _read),
    Reader("class-yaml", _yaml_trees, texts.damage("classes.txt", _YAML_WORDS), _read),
)
