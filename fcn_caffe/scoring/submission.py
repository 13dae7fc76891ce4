"""Predicted labels in the form that PASCAL VOC's evaluation server takes: checked, and packed into one archive."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.pictures import drawing
from fcn_caffe.progress import progress
from fcn_caffe.whole_files import open_atomic

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
