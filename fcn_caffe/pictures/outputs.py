"""Writes the tools' pictures, and never overwrites an input, another output, or a file that no tool wrote."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fcn_caffe.data_layers.segdata import own_pictures
from fcn_caffe.whole_files import open_atomic

TEXT_MARK = f"# {own_pictures.SOFTWARE}"
"""The first line of a file of text that a tool wrote, if such files are often written by others, too."""


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG that says who wrote it, whole or not at all; its folder is made."""
    mark = PngInfo()
    mark.add_text(own_pictures.KEY, own_pictures.SOFTWARE)
    with open_atomic(path) as file:
        image.save(file, "PNG", pnginfo=mark)


def save_array(values: np.ndarray, path: Path) -> None:
    """Write an array of any shape as .npy, whole or not at all; the folder is made."""
    with open_atomic(path) as file:
        np.save(file, values)


def check(outputs: Iterable[Path], inputs: Iterable[Path], remedy: str) -> None:
    """Raises ValueError if an output is an input, another output, or there already and not a tool's.

    remedy: what to do then. A .npy file counts as a tool's if the .png beside it is one.
    """
    read = {_key(path): path for path in inputs}
    written: set[str] = set()
    for path in outputs:
        if _key(path) in read:
            raise ValueError(f"'{path}' is to be written, and is an input, too. {remedy}")
        if _key(path) in written:
            raise ValueError(f"'{path}' would be written twice, for two of the images. {remedy}")
        written.add(_key(path))
        if path.exists():
            same = next((file for file in read.values() if file.exists() and os.path.samefile(path, file)), None)
            if same:
                raise ValueError(f"'{path}' is to be written, and is the input '{same}' under another name. {remedy}")
            if not _is_ours(path):
                raise ValueError(f"'{path}' is there already, and no output of this project: it stays. {remedy}")


def check_json(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raises ValueError if a file of JSON is to be written over an input, or over what is no JSON."""
    if not path.exists():
        return
    if path.is_dir() or any(each.exists() and os.path.samefile(path, each) for each in inputs):
        what = "a folder" if path.is_dir() else "an input"
        raise ValueError(f"'{path}' is {what}, expected a file of JSON to write. Name another one.")
    with open(path, "rb") as file:
        begin = file.read(64).lstrip()[:1]
    if begin not in (b"", b"{", b"["):
        raise ValueError(f"'{path}' is there already, and no JSON: it stays. Name another file.")


def _key(path: Path) -> str:
    """The same for two paths that one file system or another takes for one."""
    return str(path.resolve()).casefold()


def _is_ours(path: Path) -> bool:
    if path.suffix == ".tif":
        return own_pictures.is_own(str(path))
    if path.suffix == ".txt":
        with open(path, "rb") as file:
            return file.readline(len(TEXT_MARK) + 2).rstrip() == TEXT_MARK.encode()
    try:
        with Image.open(path.with_suffix(".png"), formats=("PNG",)) as image:
            image.load()
            return image.info.get(own_pictures.KEY) == own_pictures.SOFTWARE
    except (OSError, SyntaxError, ValueError):
        return False
