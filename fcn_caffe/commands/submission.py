"""Packs predicted labels for PASCAL VOC's evaluation server, after a check that nothing is missing or wrong.

    fcn infer voc-fcn8s --out out/test data/pascal/VOC2012/JPEGImages/…    (or: fcn score --save-dir)
    fcn submission out/test --voc-dir data/pascal/VOC2012 --out fcn8s.tar.gz

The archive holds results/VOC2012/Segmentation/comp6_test_cls/NAME.png for every image of the list, and no other file:
8-bit palette PNGs with VOC's colours. comp6 is for nets that have seen other data than VOC's own, as every net has that
starts from ImageNet's weights or trains on SBD; comp5 is for those that have not. The server is for the test set alone:
its images come with the test archive that the server's site gives to registered users.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcn_caffe import home, program
from fcn_caffe.atomic import open_atomic
from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.splits import read_names
from fcn_caffe.pictures import drawing
from fcn_caffe.progress import progress

CLASSES = 21
SHOWN = 5


def problem(path: Path, image: Path) -> str | None:
    """What keeps a predicted label from being submitted; None if nothing does. `image`: the image it is of."""
    if not path.is_file():
        return f"'{path}' is missing"
    try:
        labels = files.read_label(str(path))
        size = files.look(str(image)).upright_size
    except (ValueError, OSError) as error:
        return str(error)
    if labels.shape[::-1] != size:
        return f"'{path}' is {labels.shape[1]}×{labels.shape[0]}, its image {size[0]}×{size[1]}"
    if labels.min() < 0 or labels.max() >= CLASSES:
        return f"'{path}' has values from {labels.min()} to {labels.max()}, expected classes 0..{CLASSES - 1} (no void)"
    return None


def check(folder: Path, voc_dir: Path, names: Sequence[str]) -> None:
    """Raises ValueError that names the labels in `folder` that the server would refuse or score as nothing."""
    problems = []
    with progress("checking", "labels", len(names)) as advance:
        for name in names:
            found = problem(folder / f"{name}.png", Path(files.find_image(str(voc_dir / "JPEGImages" / name))))
            problems += [found] if found else []
            advance()
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ValueError(
            f"{len(problems)} of {len(names)} labels cannot be submitted:\n  " + "\n  ".join(problems[:SHOWN]) + more
        )


def pack(folder: Path, names: Sequence[str], year: int, competition: int, out: Path) -> None:
    """Write the archive: every label, written anew as a palette PNG."""
    root = f"results/VOC{year}/Segmentation/comp{competition}_test_cls"
    with (
        open_atomic(out) as file,
        tarfile.open(fileobj=file, mode="w:gz") as archive,
        progress("packing", "labels", len(names)) as advance,
    ):
        for name in names:
            png = io.BytesIO()
            drawing.label_image(np.asarray(files.read_label(str(folder / f"{name}.png")))).save(png, "PNG")
            member = tarfile.TarInfo(f"{root}/{name}.png")
            member.size = png.tell()
            png.seek(0)
            archive.addfile(member, png)
            advance()


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("labels", type=home.path, metavar="FOLDER", help="predicted labels, NAME.png")
    parser.add_argument("--voc-dir", type=home.path, required=True, help="VOC with its test images")
    parser.add_argument("--split", default="test", help="list of images in VOC_DIR (default: test)")
    parser.add_argument("--year", type=int, default=2012, help="of the challenge (default: 2012)")
    parser.add_argument("--competition", type=int, choices=(5, 6), default=6, help="default: 6")
    parser.add_argument("--out", type=home.path, required=True, help="archive to write (.tar.gz)")
    return parser


@program.command
def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    names = read_names(
        str(options.voc_dir / "ImageSets" / "Segmentation" / f"{options.split}.txt"), "the evaluation server"
    )
    check(options.labels, options.voc_dir, names)
    pack(options.labels, names, options.year, options.competition, options.out)
    print(f"{options.out}: {len(names)} labels, {options.out.stat().st_size / 1e6:.1f} MB")
    return 0
