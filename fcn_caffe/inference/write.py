"""Writes the files of fcn infer for each image: labels, an overlay and, if wanted, scores."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from PIL import Image

from fcn_caffe import program
from fcn_caffe.data_layers.segdata import files as image_files
from fcn_caffe.data_layers.segdata.files import read_image
from fcn_caffe.inference import video
from fcn_caffe.inference.find import Found
from fcn_caffe.inference.segment import label_bands, segment, segment_all
from fcn_caffe.inference.segment import labels as segment_labels
from fcn_caffe.large import bands, tiff
from fcn_caffe.large.bands import check_size
from fcn_caffe.pictures import depth, drawing, edges, outputs
from fcn_caffe.pictures.legend import Legend
from fcn_caffe.progress import progress
from fcn_caffe.scoring import crf

LEGEND = "legend.png"
ENDS_EARLY = 0.9
"""Of the frames that a video says to have, so many must come; how many it has is a guess by its length and rate."""
REDUCED = 2000
"""Pixels along the longer side of the overlay of an image that is segmented by bands."""
File = tuple[str, str]
"""The path of an image or video, and what its files are called: a path below the folder that they go to."""


@dataclass(frozen=True)
class Wanted:
    """The settings of the files to write for each image.

    out: the folder. score: the blob of scores. scores: whether they are written, too. crf: the parameters of a dense
    CRF that refines the labels; None: no CRF. max_side: pixels along the longer side of what is computed; None: the
    image's own. batch: images of one size that are computed at once. contours, legend: whether the overlay shows the
    edges of classes, and their names. frames: of a video or camera at most so many.
    """

    out: Path
    score: str = "score"
    scores: bool = False
    crf: Optional[Any] = None
    max_side: Optional[int] = None
    batch: int = 1
    contours: bool = False
    legend: bool = False
    frames: Optional[int] = None


def write_all(net: Any, files: Sequence[File], found: Found, wanted: Wanted) -> dict[str, Any]:
    """Segment images and videos, one after another; of each what it shows: its size, and the share of each class.

    One that cannot be segmented is told on stderr, and is not in the result.
    """
    done: dict[str, Any] = {}
    for group in _groups(files, found, wanted):
        ready = _at_once(net, group, found, wanted) if len(group) > 1 else {}
        for file, name in group:
            try:
                if video.is_video(file):
                    done[file] = write_video(net, file, name, found, wanted)
                elif _by_bands(net, file, wanted):
                    done[file] = write_by_bands(net, file, name, found, wanted)
                else:
                    done[file] = write_one(net, file, name, found, wanted, ready.get(file))
            except (ValueError, OSError, RuntimeError) as error:
                print(f"infer: {file}: {program.words(error)}", file=sys.stderr, flush=True)
    return done


def write_one(
    net: Any, file: str, name: str, found: Found, wanted: Wanted, scores: Optional[np.ndarray] = None
) -> dict[str, Any]:
    """Segment one image, write the pictures, and tell which classes it shows. Raises ValueError for scores that have
    not the image's size, and ValueError or OSError for an image that cannot be read.

    scores: those of the image, where they have been computed.
    """
    image, classes = Image.fromarray(read_image(file, found.upright)), found.classes
    if net.blobs[wanted.score].shape[1] == 1:
        logarithm = segment(net, image, found.mean, wanted.score, wanted.max_side) if scores is None else scores
        return _write_depth(logarithm, file, name, wanted)
    if classes.of_edges and wanted.crf:
        raise ValueError("the net finds edges, and --crf refines scores of classes of regions. Leave it out.")
    if scores is None and (wanted.scores or wanted.crf or classes.of_edges):
        scores = segment(net, image, found.mean, wanted.score, wanted.max_side)
    if scores is None:
        labels = segment_labels(net, image, found.mean, wanted.score, wanted.max_side)
    else:
        labels = scores.argmax(0)
    check_size(labels.shape, image.size[::-1], wanted.score)
    if wanted.crf and scores is not None:
        labels = crf.refined(scores, np.asarray(image.convert("RGB")), wanted.crf).argmax(0)
    if classes.of_edges and scores is not None:
        outputs.save_picture(edges.stored(edges.probability(scores)), wanted.out / f"{name}.png")
    else:
        drawing.save_labels(labels, wanted.out / f"{name}.png", classes.colours)
    outputs.save_picture(painted(image, labels, classes, wanted), wanted.out / f"{name}_overlay.png")
    if wanted.scores and scores is not None:
        outputs.save_array(scores, wanted.out / f"{name}.npy")
    shares = classes.shares(np.bincount(labels.ravel()))
    print(f"{file}: {_in_words(shares)}", flush=True)
    return {"width": image.width, "height": image.height, "share": shares}


def write_video(net: Any, file: str, name: str, found: Found, wanted: Wanted) -> dict[str, Any]:
    """Segment the frames of a video, write a video of the overlays, and the first as a picture, too. Raises
    RuntimeError for a video that cannot be read or written."""
    if net.blobs[wanted.score].shape[1] == 1:
        raise ValueError("the net predicts depth, and videos are of classes. Name images.")
    classes, counts, frames, size = found.classes, np.zeros(256, np.int64), 0, (0, 0)
    target = wanted.out / f"{name}_overlay.mp4"
    with (
        video.reading(file, wanted.frames) as source,
        video.writing(target, source.rate) as write,
        progress(Path(file).name, "frames", source.frames) as advance,
    ):
        for pixels in source:
            image = Image.fromarray(pixels)
            labels = segment_labels(net, image, found.mean, wanted.score, wanted.max_side)
            check_size(labels.shape, image.size[::-1], wanted.score)
            picture = painted(image, labels, classes, wanted)
            if not frames:
                outputs.save_picture(picture, target.with_suffix(".png"))
            write(picture)
            counts += np.bincount(labels.ravel(), minlength=len(counts))[: len(counts)]
            frames, size = frames + 1, image.size
            advance()
    if not frames:
        raise RuntimeError(f"'{file}' has no frame that can be read. Try it with ffmpeg, or convert it.")
    if not wanted.frames and frames < ENDS_EARLY * source.frames:
        print(
            f"infer: WARNING: {file}: {frames} frames could be read, of {source.frames} by its length and rate. Is it "
            "damaged?",
            file=sys.stderr,
        )
    shares = classes.shares(counts)
    print(f"{file}: {frames} frames, {source.rate:g} a second: {_in_words(shares)}", flush=True)
    return {"width": size[0], "height": size[1], "frames": frames, "rate": source.rate, "share": shares}


def _by_bands(net: Any, file: str, wanted: Wanted) -> bool:
    """Whether an image is a TIFF so large that it is read, computed and written by bands of rows."""
    whole = wanted.scores or wanted.crf or wanted.max_side or net.blobs[wanted.score].shape[1] == 1
    if whole or not bands.can_stream(net):
        return False
    height, width = tiff.size(file) or (0, 0)
    return height * width > bands.LARGE


def write_by_bands(net: Any, file: str, name: str, found: Found, wanted: Wanted) -> dict[str, Any]:
    """Segment a large TIFF by bands of rows: a TIFF of the labels, and the overlay of a reduced picture. Raises
    ValueError for an image that cannot be read so."""
    with tiff.TiffRows(file, found.upright) as pixels:
        height, width, _ = pixels.shape
        step = -(-max(height, width) // REDUCED)
        counts, seen, shown = np.zeros(256, np.int64), [], []
        with (
            tiff.labels_file(wanted.out / f"{name}.tif", (height, width), found.classes.colours) as labels,
            progress(Path(file).name, "rows", height) as advance,
        ):
            for row, band in label_bands(net, pixels, found.mean, wanted.score):
                labels[row : row + len(band)] = band
                counts += np.bincount(band.ravel(), minlength=len(counts))[: len(counts)]
                every = slice(-row % step, None, step)
                seen.append(pixels[row : row + len(band)][every, ::step])
                shown.append(band[every, ::step])
                advance(by=len(band))
    picture = painted(Image.fromarray(np.concatenate(seen)), np.concatenate(shown), found.classes, wanted)
    outputs.save_picture(picture, wanted.out / f"{name}_overlay.png")
    shares = found.classes.shares(counts)
    print(f"{file}: {_in_words(shares)}", flush=True)
    return {"width": width, "height": height, "share": shares}


def painted(image: Image.Image, labels: np.ndarray, classes: Legend, wanted: Wanted) -> Image.Image:
    """The image with its classes coloured; with their edges and a legend, if these are wanted."""
    picture = drawing.overlay(image, labels, classes.colours, background=classes.background)
    if wanted.contours:
        picture = drawing.outlined(picture, labels)
    return classes.beside(picture, np.bincount(labels.ravel())) if wanted.legend else picture


def _groups(files: Sequence[File], found: Found, wanted: Wanted) -> Iterator[list[File]]:
    """Images that come one after another and have one size, at most `wanted.batch` at once; large ones alone."""
    group: list[File] = []
    before: Optional[tuple[int, int]] = None
    for file in files:
        size = _size(file[0], found.upright) if wanted.batch > 1 else None
        if group and (size is None or size != before or len(group) == wanted.batch):
            yield group
            group = []
        group, before = [*group, file], size
    if group:
        yield group


def _size(file: str, upright: bool) -> Optional[tuple[int, int]]:
    """The size of an image that others of its size may be computed with; None for any other."""
    try:
        looks = image_files.look(file)
    except (ValueError, OSError):
        return None
    size = looks.upright_size if upright else looks.size
    return size if size[0] * size[1] <= bands.LARGE else None


def _at_once(net: Any, group: Sequence[File], found: Found, wanted: Wanted) -> dict[str, np.ndarray]:
    """The scores of images of one size; none where one of them cannot be read, which is told when its turn has come."""
    try:
        images = [Image.fromarray(read_image(file, found.upright)) for file, _ in group]
        scores = segment_all(net, images, found.mean, wanted.score, wanted.max_side)
    except (ValueError, OSError, RuntimeError):
        return {}
    return {file: each for (file, _), each in zip(group, scores)} if len(scores) == len(group) else {}


def _write_depth(logarithm: np.ndarray, file: str, name: str, wanted: Wanted) -> dict[str, Any]:
    """Write a net's depth, 1×height×width: millimetres, and a picture; and its range, as text."""
    if wanted.crf:
        raise ValueError("the net predicts depth, and --crf refines scores of classes. Leave it out.")
    metres = np.exp(np.clip(logarithm[0].astype(np.float64), *depth.LOGARITHMS))
    outputs.save_picture(depth.millimetres(metres), wanted.out / f"{name}.png")
    outputs.save_picture(depth.picture(metres), wanted.out / f"{name}_overlay.png")
    if wanted.scores:
        outputs.save_array(logarithm, wanted.out / f"{name}.npy")
    print(f"{file}: {metres.min():.2f} m to {metres.max():.2f} m, median {np.median(metres):.2f} m", flush=True)
    return {"width": metres.shape[1], "height": metres.shape[0], "median_depth": float(np.median(metres))}


def _in_words(shares: dict[str, float]) -> str:
    """Which classes an image shows, the largest first, and of how many of its pixels each is."""
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def output_names(images: Sequence[str], legend: bool = False, folders: Sequence[str] = ()) -> list[str]:
    """What each image's files are called: its name without ending, in its folder of `folders`; with its number before
    it where two files would have one name (`legend`: or that of the legend), or where capital letters alone keep them
    apart."""
    within = folders or [""] * len(images)
    stems = [Path(image).stem.replace(":", "") for image in images]
    keys = [str(Path(folder, stem)).casefold() for folder, stem in zip(within, stems)]
    files = [name for key in keys for name in (key, f"{key}_overlay")] + ["legend"] * legend
    alone = [files.count(key) == files.count(f"{key}_overlay") == 1 for key in keys]
    names = (stem if unique else f"{i}_{stem}" for i, (stem, unique) in enumerate(zip(stems, alone)))
    return [str(Path(folder, name)) for folder, name in zip(within, names)]


def output_files(files: Sequence[File], wanted: Wanted, legend: bool) -> list[Path]:
    """Every file that will be written."""
    endings = (".png", "_overlay.png", *((".npy",) if wanted.scores else ()))
    found = []
    for file, name in files:
        own = ("_overlay.mp4", "_overlay.png") if video.is_video(file) else endings
        if tiff.is_tiff(file):
            own = (*own, ".tif")
        found += [wanted.out / f"{name}{ending}" for ending in own]
    return [*found, wanted.out / LEGEND] if legend else found
