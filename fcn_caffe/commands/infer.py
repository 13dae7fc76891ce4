"""Segments images: any list of files, with any deploy net.

    fcn infer voc-fcn8s photo.jpg …                   the variant's deploy net and its newest snapshot
    fcn infer my-task photos/                         of a task of your own, all images of a folder
    fcn infer models/street-fcn8s photo.jpg           a snapshot folder, wherever it was moved
    fcn infer --net deploy.prototxt --weights x.caffemodel --out out/ photo.jpg

Writes NAME.png (class numbers; VOC's palette, or that of your task) and NAME_overlay.png; with --scores also NAME.npy,
classes×height×width; and, where the classes have names, legend.png. With --crf the labels are those of a dense CRF,
while scores stay the net's.
Nothing that is there already is overwritten, but what this tool wrote before.
An image that cannot be read does not keep the others from being segmented; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import caffe
from fcn_caffe import home, program
from fcn_caffe.data_layers.segdata import files, pairs
from fcn_caffe.device import add_device_options, use_device
from fcn_caffe.net_spec.datasets import MEAN
from fcn_caffe.pictures import drawing, outputs
from fcn_caffe.pictures.legend import Legend, legend_of
from fcn_caffe.scoring import crf
from fcn_caffe.training import trained
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import everything
from fcn_caffe.variants.loading import keep_no_blobs, load

LEGEND = "legend.png"


def segment(net: Any, image: Image.Image, mean: tuple[float, ...] = MEAN, score: str = "score") -> np.ndarray:
    """The scores of every class at every pixel, classes×height×width, of an RGB image. Several threads take turns."""
    pixels = np.asarray(image.convert("RGB"), np.float32)[:, :, ::-1] - np.asarray(mean, np.float32)
    with getattr(net, "lock", contextlib.nullcontext()):  # BVLC Caffe's nets have none
        data = net.blobs[net.inputs[0]]
        data.reshape(1, 3, *pixels.shape[:2])
        data.data[...] = pixels.transpose(2, 0, 1)
        net.forward(blobs=[score])
        return net.blobs[score].data[0].copy()


class Found(NamedTuple):
    """What is known of a net: its deploy prototxt, its weights, its classes, its mean, and whether it sees photos
    upright (or as they are stored)."""

    net_file: str
    weights: str
    classes: Legend
    mean: tuple[float, ...]
    upright: bool = True


def find(name: str, score: str = "score", weights: str | None = None) -> Found:
    """A net by the name of its task or variant, or of its snapshot folder, or by the path of one; and the classes that
    its blob `score` is of. weights: others than its newest.

    A snapshot folder says itself what it is of. Raises ValueError if there is no such net, if it sees something else
    than colours, or if it was trained for other classes than its task has now, and FileNotFoundError for no weights.
    """
    if trained.is_there(home.path(name)):
        return _in_folder(home.path(name).resolve(), score, weights)
    nets = everything()
    if name not in {**nets.rows, **nets.own_names} and trained.is_there(stages.SNAPSHOTS / name):
        return _in_folder((stages.SNAPSHOTS / name).resolve(), score, weights)
    row = nets.find(name)
    trained.check_sees_colours(row.name, trained.of(row).sees)
    weights = weights or str(trained.weights(row))
    folder = stages.SNAPSHOTS / row.name
    if trained.is_there(folder) and Path(weights).parent == folder:
        return _in_folder(folder, score, weights)
    nets.write(row)
    now = trained.of(row)
    return Found(nets.net_file(row, "deploy"), weights, legend_of(row, score), now.mean, now.upright)


def _in_folder(folder: Path, score: str, weights: str | None) -> Found:
    net = trained.read(folder)
    if net is None:
        raise ValueError(f"'{folder}' has no {trained.FILE}, expected a snapshot folder of fcn solve.")
    trained.check_sees_colours(net.name, net.sees)
    weights = weights or str(stages.trained_weights(str(folder)))
    return Found(str(folder / "deploy.prototxt"), weights, net.legends.get(score, Legend()), net.mean, net.upright)


def deploy_net(net_file: str, weights: str, score: str) -> Any:
    """A net that takes one image and has scores. Raises ValueError for any other."""
    net = keep_no_blobs(load(net_file, weights))
    channels = [net.blobs[name].shape[1] if len(net.blobs[name].shape) == 4 else 0 for name in net.inputs]
    if channels != [3]:
        found = ", ".join(f"{name} {'×'.join(map(str, net.blobs[name].shape))}" for name in net.inputs) or "no input"
        raise ValueError(
            f"'{net_file}' takes {found}, expected one image of three channels. Nets with depth or several inputs "
            "need a script of their own; nets with data layers are for fcn score."
        )
    if score not in net.blobs:
        raise ValueError(f"'{net_file}' has no blob {score}; there are {', '.join(net.blobs)}. Name one with --score.")
    return net


def write_segmentation(net: Any, file: str, name: str, found: Found, options: argparse.Namespace) -> None:
    """Segment one image, write the pictures, and tell which classes it shows."""
    image, classes = Image.fromarray(files.read_image(file, found.upright)), found.classes
    scores = segment(net, image, tuple(options.mean), options.score)
    labels = scores.argmax(0)
    if labels.shape != (image.height, image.width):
        raise ValueError(
            f"blob {options.score} is {labels.shape[0]}×{labels.shape[1]}, expected the image's {image.height}×"
            f"{image.width}. Name the blob of scores at full size with --score."
        )
    if options.crf:
        labels = crf.refined(scores, np.asarray(image.convert("RGB")), options.crf).argmax(0)
    drawing.save_labels(labels, options.out / f"{name}.png", classes.colours)
    painted = drawing.overlay(image, labels, classes.colours, background=classes.background)
    outputs.save_picture(painted, options.out / f"{name}_overlay.png")
    if options.scores:
        outputs.save_array(scores, options.out / f"{name}.npy")
    share = np.bincount(labels.ravel(), minlength=scores.shape[0]) / labels.size
    seen = [f"{classes.name(cls)} {share[cls]:.1%}" for cls in np.argsort(-share) if share[cls] > 0]
    print(f"{file}: {', '.join(seen)}", flush=True)


def output_names(images: list[str], legend: bool = False) -> list[str]:
    """What each image's files are called: its name without ending; with its number before it where two files would
    have one name (`legend`: or that of the legend), or where capital letters alone keep them apart."""
    stems = [Path(image).stem for image in images]
    files = [name for stem in map(str.casefold, stems) for name in (stem, f"{stem}_overlay")] + ["legend"] * legend
    alone = [files.count(stem.casefold()) == files.count(f"{stem.casefold()}_overlay") == 1 for stem in stems]
    return [stem if unique else f"{i}_{stem}" for i, (stem, unique) in enumerate(zip(stems, alone))]


def output_files(names: list[str], options: argparse.Namespace, legend: bool) -> list[Path]:
    """Every file that will be written."""
    endings = (".png", "_overlay.png", *((".npy",) if options.scores else ()))
    files = [options.out / f"{name}{ending}" for name in names for ending in endings]
    return [*files, options.out / LEGEND] if legend else files


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument(
        "what",
        nargs="+",
        metavar="NET | IMAGE",
        help="a net or task by its name, or a snapshot folder (unless --net); images, or folders of them",
    )
    parser.add_argument("--net", type=home.text, help="a deploy prototxt, instead of a variant")
    parser.add_argument("--weights", type=home.text, help="a caffemodel (default: the net's newest snapshot)")
    parser.add_argument(
        "--out", type=home.path, default=Path("out/infer"), help="folder to write to (default: out/infer)"
    )
    parser.add_argument(
        "--mean", type=float, nargs=3, metavar=("B", "G", "R"), help="what is subtracted (default: the variant's mean)"
    )
    parser.add_argument("--score", default="score", help="the blob of scores")
    parser.add_argument(
        "--as-stored",
        action="store_true",
        help="do not turn photos as their EXIF orientation says (default: as in training)",
    )
    parser.add_argument("--scores", action="store_true", help="write the raw scores, too")
    crf.add_crf_option(parser)
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    images = options.what if options.net else options.what[1:]
    if not images or (options.net and not options.weights):
        parser.error("give a net or a task and at least one image; with --net also --weights, and images alone")
    if options.net:
        found = Found(options.net, options.weights, Legend(), MEAN)
    else:
        found = find(options.what[0], options.score, options.weights)
    if options.as_stored:
        found = found._replace(upright=False)
    images, legend = pairs.images_of(map(home.text, images)), bool(found.classes.names)
    names = output_names(images, legend)
    read = [*images, found.net_file, found.weights]
    outputs.check(output_files(names, options, legend), map(Path, read), "Name another folder with --out.")
    options.crf = options.crf and crf.parameters(options.crf)
    program.quiet(caffe)
    use_device(options)
    net = deploy_net(found.net_file, found.weights, options.score)
    options.mean = options.mean or found.mean
    if legend:
        outputs.save_picture(found.classes.picture(), options.out / LEGEND)
    failures = 0
    for file, name in zip(images, names):
        try:
            write_segmentation(net, file, name, found, options)
        except (ValueError, OSError, RuntimeError) as error:
            print(f"infer: {file}: {program.words(error)}", file=sys.stderr, flush=True)
            failures += 1
    return 1 if failures else 0
