"""Refines saved scores by a dense CRF (Krähenbühl and Koltun, NIPS 2011), and finds its parameters.

    fcn infer voc-fcn8s photos/ --scores --out out/scores
    fcn crf out/scores --images photos/ --crf deeplab
    fcn crf out/scores --images photos/ --labels labels/ --crf deeplab     how much better it is
    fcn crf out/scores --images photos/ --labels labels/ --search          parameters, of training images

Scores are files NAME.npy, classes×height×width, or folders of them; images and labels are NAME.jpg, NAME.png, … in
folders. Writes NAME.png (class numbers) and NAME_overlay.png. --search tries weights and deviations of the kernel over
colours one after the other, as DeepLab's authors did, and writes those of the highest mean IU to --save: give it scores
of *training* images, and --crf FILE.json to whatever is scored. It computes each image some 50 times.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
from PIL import Image

import caffe
from fcn_caffe import home, program
from fcn_caffe.data_layers.segdata import files, pairs, text
from fcn_caffe.device import add_device_options, use_device
from fcn_caffe.pictures import drawing, legend, outputs
from fcn_caffe.progress import progress
from fcn_caffe.scoring import crf, crf_search, metrics
from fcn_caffe.scoring.score_table import report

DEFAULT = "deeplab"


class Item(NamedTuple):
    """Files of one image."""

    name: str
    scores: Path
    image: str
    label: Optional[str]


class Read(NamedTuple):
    """Scores (classes×height×width), an RGB image (height×width×3) and its true label (height×width)."""

    scores: np.ndarray
    image: np.ndarray
    truth: Optional[np.ndarray]


def find(given: list[Path], images: str, labels: str | None) -> list[Item]:
    """Every file of scores, with its image and its label. Raises FileNotFoundError for what is missing."""
    found = [file for path in given for file in (sorted(path.glob("*.npy")) if path.is_dir() else [path])]
    if not found:
        raise FileNotFoundError(
            f"'{given[0]}' has no scores (NAME.npy). Write some: fcn infer NET IMAGES --scores --out {given[0]}"
        )
    by_name = pairs.by_stem(images, "images")
    truths = pairs.by_stem(labels, "labels") if labels else None
    names = [text.composed(file.stem) for file in found]
    for name, file in zip(names, found):
        for what, folder, there in (("image", images, by_name), ("label", labels, truths)):
            if there is not None and name not in there:
                raise FileNotFoundError(f"'{file}' has no {what} in '{folder}', expected one called {name}.")
    return [Item(name, file, by_name[name], truths and truths[name]) for name, file in zip(names, found)]


def read(item: Item, upright: bool) -> Read:
    """The files of one image. Raises ValueError where they do not fit."""
    try:
        scores = np.load(item.scores, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"'{item.scores}' holds no array ({error}), expected scores of fcn infer.") from error
    if scores.ndim != 3 or scores.dtype.kind != "f":
        raise ValueError(
            f"'{item.scores}' holds {scores.dtype} of shape {scores.shape}, expected classes×height×width."
        )
    image = files.read_image(item.image, upright)
    truth = files.read_label(item.label, upright) if item.label else None
    for path, array in ((item.image, image), (item.label, truth)):
        if array is not None and array.shape[:2] != scores.shape[1:]:
            size = f"{array.shape[1]}×{array.shape[0]}"
            raise ValueError(
                f"'{path}' is {size}, the scores in '{item.scores}' are {scores.shape[2]}×{scores.shape[1]}: expected "
                "one size."
            )
    return Read(scores, image, truth)


def refine(items: list[Item], options: argparse.Namespace, chosen: object) -> None:
    """Write labels and overlays, and print the scores without and with the CRF where there are labels."""
    colours = legend.colours(options.names)
    hists: list[np.ndarray] = []
    with progress("crf", "images", len(items)) as advance:
        for item in items:
            given = read(item, not options.as_stored)
            labels = crf.refined(given.scores, given.image, chosen).argmax(0)
            drawing.save_labels(labels, options.out / f"{item.name}.png", colours)
            painted = drawing.overlay(Image.fromarray(given.image), labels, colours)
            outputs.save_picture(painted, options.out / f"{item.name}_overlay.png")
            if given.truth is not None:
                pair = [
                    metrics.confusion(given.truth, each, len(given.scores)) for each in (given.scores.argmax(0), labels)
                ]
                hists = [a + b for a, b in zip(hists, pair)] if hists else pair
            advance()
    for title, hist in zip(("without the CRF", "with the CRF"), hists):
        print(f"{title}: {report(hist)}")


def search(items: list[Item], options: argparse.Namespace, chosen: object) -> None:
    """Print what is tried, and write the best parameters."""

    def mean_iu(candidate: object | None) -> float:
        return metrics.scores(sum(_confusions(items, options, candidate))).mean_iu

    def measure(point: crf_search.Point) -> float:
        value = mean_iu(crf_search.with_kernel(chosen, point))
        print("weight {:g}, positions {:g}, colours {:g}".format(*point), f"mean IU {value:.4f}", sep=": ", flush=True)
        return value

    without = mean_iu(None)
    print(f"without a CRF: mean IU {without:.4f}", flush=True)
    best, value = crf_search.coordinate_search(measure)
    crf.save(crf_search.with_kernel(chosen, best), options.save, mean_iu=value, without=without, images=len(items))
    print("best: weight {:g}, positions {:g}, colours {:g}".format(*best), f"mean IU {value:.4f}", sep=": ")
    print(f"{options.save}: for --crf" if value > without else f"{options.save}: no better than without a CRF")


def _confusions(items: list[Item], options: argparse.Namespace, chosen: object | None) -> Iterator[np.ndarray]:
    for item in items:
        scores, image, truth = read(item, not options.as_stored)
        found = scores if chosen is None else crf.refined(scores, image, chosen)
        yield metrics.confusion(truth, found.argmax(0), len(scores))


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("scores", nargs="+", type=home.path, metavar="SCORES", help="NAME.npy, or folders of them")
    parser.add_argument("--images", type=home.text, required=True, metavar="FOLDER", help="the images they are of")
    parser.add_argument("--labels", type=home.text, metavar="FOLDER", help="the true labels: scores are printed")
    parser.add_argument("--out", type=home.path, default=Path("out/crf"), help="folder to write to (default: out/crf)")
    parser.add_argument("--search", action="store_true", help="find parameters; needs --labels")
    parser.add_argument(
        "--save",
        type=home.path,
        default=Path("out/crf.json"),
        help="where --search writes them (default: out/crf.json)",
    )
    parser.add_argument("--names", type=home.text, help="a list of classes with colours (default: VOC's colours)")
    parser.add_argument("--as-stored", action="store_true", help="do not turn photos as their EXIF orientation says")
    crf.add_crf_option(parser, default=DEFAULT)
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.search and not options.labels:
        parser.error("--search needs --labels, the true labels of the images")
    chosen = crf.parameters(options.crf)
    items = find(options.scores, options.images, options.labels)
    program.quiet(caffe)
    use_device(options)
    if options.search:
        search(items, options, chosen)
        return 0
    written = [options.out / f"{item.name}{ending}" for item in items for ending in (".png", "_overlay.png")]
    read_files = [Path(file) for item in items for file in (item.scores, item.image, item.label) if file]
    outputs.check(written, read_files, "Name another folder with --out.")
    refine(items, options, chosen)
    return 0
