"""The images and videos that a person names: files, folders and all below them, patterns, cameras."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from typing import NamedTuple

from fcn_caffe import home
from fcn_caffe.data_layers.segdata import own_pictures, pairs
from fcn_caffe.data_layers.segdata.files import ENDINGS
from fcn_caffe.inference import video

PATTERN = "*?["


class GivenImage(NamedTuple):
    """An image, a video or a camera: its path, and the folder that it has below the one that was named."""

    path: str
    folder: str = ""


def inputs(typed: Iterable[str]) -> list[GivenImage]:
    """The images and videos that command line arguments name. Of a folder, all images and videos in it and below it
    that no tool of this project wrote, in alphabetical order; of a pattern such as photos/*.jpg (** for any folders),
    what it fits.

    Raises ValueError for a folder and a pattern of which there is none.
    """
    found: list[GivenImage] = []
    for word in typed:
        path = word if video.is_camera(word) else home.text(word)
        if os.path.isdir(path):
            found += _below(path)
        elif any(sign in word for sign in PATTERN) and not os.path.exists(path):
            found += _fitting(path)
        else:
            found.append(GivenImage(path))
    return found


def _below(folder: str) -> list[GivenImage]:
    paths = pairs.files_below(folder)
    pairs.tell_unread(folder, paths)
    inside = pairs.without_results(folder, filter(_is_wanted, paths), _is_result)
    if not inside:
        raise ValueError(
            f"the folder '{folder}' has no image file ({', '.join(ENDINGS)}) and no video. Name another one."
        )
    return [GivenImage(path, os.path.dirname(os.path.relpath(path, folder))) for path in inside]


def _is_wanted(path: str) -> bool:
    return pairs.is_image(path) or video.is_video(path)


def _is_result(path: str) -> bool:
    """Whether a tool of this project wrote a picture, or a film, beside which it put the first frame as a picture."""
    stem = os.path.splitext(path)[0]
    if video.is_video(path):
        return stem.endswith("_overlay") and own_pictures.is_own(f"{stem}.png")
    return own_pictures.is_own(path)


def _fitting(pattern: str) -> list[GivenImage]:
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not paths:
        raise ValueError(f"no file fits '{pattern}'. Correct it; quote it if the shell is not to read it.")
    return [GivenImage(path) for path in paths]
