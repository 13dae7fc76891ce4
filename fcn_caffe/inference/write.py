"""What fcn infer writes for each image: labels, an overlay and, if they are wanted, scores."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from PIL import Image

from fcn_caffe import program
from fcn_caffe.data_layers.segdata.files import read_image
from fcn_caffe.inference.find import Found
from fcn_caffe.inference.segment import labels as segment_labels
from fcn_caffe.inference.segment import segment
from fcn_caffe.pictures import depth, drawing, outputs
from fcn_caffe.pictures.legend import Legend
from fcn_caffe.scoring import crf

LEGEND = "legend.png"


@dataclass(frozen=True)
class Wanted:
    """What is to be written of each image.

    out: the folder. score: the blob of scores. scores: whether they are written, too. crf: the parameters of a dense
    CRF that refines the labels; None: no CRF.
    """

    out: Path
    score: str = "score"
    scores: bool = False
    crf: Optional[Any] = None


def write_all(net: Any, files: Sequence[tuple[str, str]], found: Found, wanted: Wanted) -> int:
    """Segment images, one after another; how many could not be, each of which is told on stderr.

    files: the path of each image, and what its files are called.
    """
    failures = 0
    for file, name in files:
        try:
            write_one(net, file, name, found, wanted)
        except (ValueError, OSError, RuntimeError) as error:
            print(f"infer: {file}: {program.words(error)}", file=sys.stderr, flush=True)
            failures += 1
    return failures


def write_one(net: Any, file: str, name: str, found: Found, wanted: Wanted) -> None:
    """Segment one image, write the pictures, and tell which classes it shows. Raises ValueError for scores that have
    not the image's size, and ValueError or OSError for an image that cannot be read."""
    image, classes = Image.fromarray(read_image(file, found.upright)), found.classes
    if net.blobs[wanted.score].shape[1] == 1:
        _write_depth(segment(net, image, found.mean, wanted.score), file, name, wanted)
        return
    scores = segment(net, image, found.mean, wanted.score) if wanted.scores or wanted.crf else None
    labels = segment_labels(net, image, found.mean, wanted.score) if scores is None else scores.argmax(0)
    _check_size(labels, image, wanted.score)
    if wanted.crf and scores is not None:
        labels = crf.refined(scores, np.asarray(image.convert("RGB")), wanted.crf).argmax(0)
    drawing.save_labels(labels, wanted.out / f"{name}.png", classes.colours)
    painted = drawing.overlay(image, labels, classes.colours, background=classes.background)
    outputs.save_picture(painted, wanted.out / f"{name}_overlay.png")
    if wanted.scores and scores is not None:
        outputs.save_array(scores, wanted.out / f"{name}.npy")
    print(f"{file}: {_shares(labels, classes)}", flush=True)


def _write_depth(logarithm: np.ndarray, file: str, name: str, wanted: Wanted) -> None:
    """Write what a net says of depth, 1×height×width: millimetres, and a picture; and tell its range."""
    if wanted.crf:
        raise ValueError("the net predicts depth, and --crf refines scores of classes. Leave it out.")
    metres = np.exp(np.clip(logarithm[0].astype(np.float64), *depth.LOGARITHMS))
    outputs.save_picture(depth.millimetres(metres), wanted.out / f"{name}.png")
    outputs.save_picture(depth.picture(metres), wanted.out / f"{name}_overlay.png")
    if wanted.scores:
        outputs.save_array(logarithm, wanted.out / f"{name}.npy")
    print(f"{file}: {metres.min():.2f} m to {metres.max():.2f} m, median {np.median(metres):.2f} m", flush=True)


def _check_size(labels: np.ndarray, image: Image.Image, score: str) -> None:
    if labels.shape != (image.height, image.width):
        raise ValueError(
            f"blob {score} is {labels.shape[0]}×{labels.shape[1]}, expected the image's {image.height}×"
            f"{image.width}. Name the blob of scores at full size with --score."
        )


def _shares(labels: np.ndarray, classes: Legend) -> str:
    """Which classes an image shows, the largest first, and of how many of its pixels each is."""
    share = np.bincount(labels.ravel()) / labels.size
    return ", ".join(f"{classes.name(cls)} {share[cls]:.1%}" for cls in np.argsort(-share) if share[cls] > 0)


def output_names(images: list[str], legend: bool = False) -> list[str]:
    """What each image's files are called: its name without ending; with its number before it where two files would
    have one name (`legend`: or that of the legend), or where capital letters alone keep them apart."""
    stems = [Path(image).stem for image in images]
    files = [name for stem in map(str.casefold, stems) for name in (stem, f"{stem}_overlay")] + ["legend"] * legend
    alone = [files.count(stem.casefold()) == files.count(f"{stem.casefold()}_overlay") == 1 for stem in stems]
    return [stem if unique else f"{i}_{stem}" for i, (stem, unique) in enumerate(zip(stems, alone))]


def output_files(names: list[str], wanted: Wanted, legend: bool) -> list[Path]:
    """Every file that will be written."""
    endings = (".png", "_overlay.png", *((".npy",) if wanted.scores else ()))
    files = [wanted.out / f"{name}{ending}" for name in names for ending in endings]
    return [*files, wanted.out / LEGEND] if legend else files
