"""Boxes in place of masks: boxes of masks, labels of boxes, and the quality of these labels.

    fcn boxes --masks data/mine/SegmentationClass --out out/boxes               boxes of masks: NAME.txt
    fcn boxes out/boxes --images data/mine/JPEGImages --kind crf --out out/labels       labels of boxes: NAME.png
    fcn boxes out/boxes --images … --kind crf --truth data/mine/SegmentationClass       beside masks
    fcn boxes voc7-boxes-crf                            what a net of the catalogue learns from, beside the masks
    fcn boxes voc7-boxes-crf --every 25                 of every 25th of its training images

A box is a line: class, left, top, right, bottom, in pixels from 0, without the last column and row. Boxes of masks lie
round connected regions of a class. Labels are --kind rectangles, the boxes filled; crf, what a dense CRF finds in them
by colours and a prior that objects fill the middle of a box; or chosen, the same with a net's scores (--scores,
NAME.npy of fcn infer) as the prior. For a net of the catalogue, fcn solve makes the labels itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional

import numpy as np

import caffe
from fcn_caffe import home, names, program
from fcn_caffe.boxes import box, labels, prepare
from fcn_caffe.data_layers.segdata import files, pairs
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.net_spec.boxed import Boxed
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.pictures import drawing, outputs
from fcn_caffe.pictures.class_names import class_names
from fcn_caffe.progress import progress
from fcn_caffe.scoring import metrics, saved_scores
from fcn_caffe.scoring.score_table import report
from fcn_caffe.variants import stages


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("what", nargs="?", help="a net that learns from boxes, or a folder of boxes (NAME.txt)")
    parser.add_argument(
        "--masks", type=home.path, help="make boxes of the masks in this folder, and write them to --out"
    )
    parser.add_argument("--images", type=home.text, help="the folder of the images that boxes are of")
    parser.add_argument("--kind", choices=labels.KINDS, default="crf", help="how labels are made (default: crf)")
    parser.add_argument("--scores", type=home.path, help="for --kind chosen: the folder of a net's scores, NAME.npy")
    parser.add_argument("--truth", type=home.text, help="the folder of the true masks: labels are scored by them")
    parser.add_argument("--out", type=home.path, default=Path("out/boxes"), help="folder to write to (out/boxes)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th image alone (default: 1)")
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.every < 1:
        parser.error(f"--every is {options.every}, expected 1 or more")
    if bool(options.what) == bool(options.masks):
        parser.error("give a net or a folder of boxes, or --masks")
    program.quiet(caffe)
    use_device(options)
    if options.masks:
        return _boxes(options)
    row = ROWS.get(options.what)
    if isinstance(row, Boxed):
        return _row(row, options.every)
    folder = home.path(options.what)
    if not folder.is_dir():
        known = [name for name, each in ROWS.items() if isinstance(each, Boxed)]
        raise names.unknown(options.what, "net that learns from boxes", known, "It is no folder of boxes, either.")
    if not options.images:
        parser.error("--images FOLDER is missing: the images that the boxes are of")
    if (options.kind == "chosen") != bool(options.scores):
        parser.error("--kind chosen and --scores go together")
    return _labels(folder, options)


def _boxes(options: argparse.Namespace) -> int:
    """Boxes of the masks in a folder."""
    found = dict(list(pairs.by_stem(str(options.masks), "masks").items())[:: options.every])
    targets = {name: options.out / f"{name}.txt" for name in found}
    outputs.check(targets.values(), map(Path, found.values()), "Name another folder with --out.")
    count = 0
    for name, path in found.items():
        boxes = box.of_mask(files.read_label(path))
        box.write(boxes, targets[name])
        count += len(boxes)
    print(f"{options.out}: {count} boxes of {len(found)} masks")
    return 0


def _row(row: Boxed, every: int) -> int:
    """The labels of a net of the catalogue, beside the masks."""
    weights = stages.trained_weights(row.starts[0]) if row.kind == "chosen" else None
    made = prepare.prepare(row, weights, every)
    hist = prepare.quality(row, made)
    print(f"{row.label_dir}: {len(made)} labels ({row.kind}); beside the masks:")
    print(report(hist, names=class_names(prepare.masks_of(row), len(hist))))
    return 0


def _labels(folder: Path, options: argparse.Namespace) -> int:
    """Labels of the boxes in a folder, as pictures, and beside masks."""
    found = sorted(folder.glob("*.txt"))[:: options.every]
    if not found:
        raise FileNotFoundError(
            f"'{folder}' has no boxes (NAME.txt). Make some: fcn boxes --masks FOLDER --out {folder}"
        )
    images = pairs.by_stem(options.images, "images")
    truths = pairs.by_stem(options.truth, "masks") if options.truth else None
    for there in (images, truths or images):
        pairs.check_named([path.stem for path in found], there, f"'{folder}'")
    outputs.check([options.out / f"{path.stem}.png" for path in found], [], "Name another folder with --out.")
    hist: Optional[np.ndarray] = None
    with progress(f"labels of boxes ({options.kind})", "images", len(found)) as advance:
        for path in found:
            image = files.read_image(images[path.stem])
            boxes = _read(path, image)
            label = labels.of_boxes(image, boxes, options.kind, scores=_scores(path, boxes, image, options.scores))
            drawing.save_labels(label, options.out / f"{path.stem}.png")
            if truths:
                counted = metrics.confusion(files.read_label(truths[path.stem]), label, VOID)
                hist = counted if hist is None else hist + counted
            advance()
    print(f"{options.out}: {len(found)} labels ({options.kind})")
    if hist is not None:
        used = int(np.flatnonzero(hist.sum(0) + hist.sum(1)).max(initial=1)) + 1
        print(report(hist[:used, :used]))
    return 0


def _read(path: Path, image: np.ndarray) -> list[box.ObjectBox]:
    """The boxes in a file. Raises ValueError for one that does not lie in its image."""
    boxes, (height, width) = box.read(path), image.shape[:2]
    for each in boxes:
        if each.right > width or each.bottom > height:
            raise ValueError(
                f"'{path}' has the box {' '.join(map(str, each))}, expected one in the image of {width}×{height} "
                "pixels. Correct it."
            )
    return boxes


def _scores(
    path: Path, boxes: list[box.ObjectBox], image: np.ndarray, folder: Optional[Path]
) -> Optional[dict[int, np.ndarray]]:
    """A net's scores of an image by class. Raises ValueError for those of another size or of too few classes."""
    if folder is None:
        return None
    file = folder / f"{path.stem}.npy"
    if not file.exists():
        raise FileNotFoundError(f"there is no '{file}'. Write it: fcn infer NET IMAGES --scores --out {folder}")
    values = saved_scores.load(file)
    most = max((each.cls for each in boxes), default=0)
    if values.shape[1:] != image.shape[:2] or len(values) <= most:
        raise ValueError(
            f"'{file}' holds an array of shape {values.shape}, expected more than {most} classes of "
            f"{image.shape[0]}×{image.shape[1]} pixels."
            " Name the scores of these images."
        )
    return dict(enumerate(values))
