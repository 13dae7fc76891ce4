"""A trained net by its name or its folder, with all that is needed to segment images with it."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import NamedTuple

import fcn_caffe
from fcn_caffe import engine, home
from fcn_caffe.data_layers.segdata import pairs
from fcn_caffe.inference import video
from fcn_caffe.pictures.legend import Legend, legend_of
from fcn_caffe.training import trained
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import everything

BUNDLED = Path(fcn_caffe.__file__).resolve().parent / "bundled"
"""The snapshot folder of the net that comes with the package."""


class Found(NamedTuple):
    """What is known of a net: its deploy prototxt, its weights, its classes, its mean, and whether it sees photos
    upright (or as they are stored)."""

    net_file: str
    weights: str
    classes: Legend
    mean: tuple[float, ...]
    upright: bool = True


def find(name: str | None, score: str = "score", weights: str | None = None) -> Found:
    """A net by the name of its task or variant, or of its snapshot folder, or by the path of one; and the classes that
    its blob `score` is of. None: the net that comes with the package. weights: others than its newest.

    A snapshot folder says itself what it is of. Raises ValueError if there is no such net, if it sees something else
    than colours, or if it was trained for other classes than its task has now, and FileNotFoundError for no weights.
    """
    if name is None:
        engine.needs("the net that comes with the package", "Its weights are half floats. Name another net.")
        return _in_folder(BUNDLED, score, weights)
    if trained.is_there(home.path(name)):
        return _in_folder(home.path(name).resolve(), score, weights)
    nets = everything()
    if name not in {**nets.rows, **nets.own_names} and trained.is_there(stages.SNAPSHOTS / name):
        return _in_folder((stages.SNAPSHOTS / name).resolve(), score, weights)
    if os.sep in name and home.path(name).is_dir():
        raise ValueError(
            f"'{name}' has no {trained.FILE} or no deploy.prototxt, expected the snapshot folder of a net. "
            "Name such a folder, or give --net and --weights."
        )
    row = nets.find(name)
    trained.check_sees_colours(row.name, trained.of(row).sees)
    weights = weights or str(trained.weights(row))
    folder = stages.SNAPSHOTS / row.name
    if trained.is_there(folder) and Path(weights).parent == folder:
        return _in_folder(folder, score, weights)
    nets.write(row)
    now = trained.of(row)
    return Found(nets.net_file(row, "deploy"), weights, legend_of(row, score), now.mean, now.upright)


def is_net(name: str) -> bool:
    """Whether an argument that may be a net or an image is a net: it is, unless it is a pattern or a camera, or ends
    like images and videos, or there is a file, or a folder without a net, of that name.
    """
    if video.is_camera(name) or glob.has_magic(name):
        return False
    nets, path = everything(), home.path(name)
    if name in {**nets.rows, **nets.own_names} or trained.is_there(stages.SNAPSHOTS / name):
        return True
    if pairs.is_image(name) or video.is_video(name):
        return False
    if path.is_dir():
        return any(path.glob("*.prototxt")) or any(path.glob("*.caffemodel"))
    return not path.is_file()


def _in_folder(folder: Path, score: str, weights: str | None) -> Found:
    net = trained.read(folder)
    if net is None:
        raise ValueError(
            f"'{folder}' has no {trained.FILE}, expected a snapshot folder of fcn solve."
            " Name such a folder, or give --net and --weights."
        )
    trained.check_sees_colours(net.name, net.sees)
    weights = weights or str(stages.trained_weights(str(folder)))
    return Found(str(folder / "deploy.prototxt"), weights, net.legends.get(score, Legend()), net.mean, net.upright)
