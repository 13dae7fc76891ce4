"""The report as a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from fcn_caffe import program
from fcn_caffe.reporting.examples import examine
from fcn_caffe.reporting.gather import gather
from fcn_caffe.reporting.page import GENERATOR, page
from fcn_caffe.training.training_log import training_log
from fcn_caffe.variants.customise import Catalogue
from fcn_caffe.whole_files import open_atomic

FILE = "report.html"
IMAGES = 3


def write(given: Sequence[str], nets: Catalogue, out: Path | None = None, images: int = IMAGES) -> Path:
    """Write the report on trainings, and return its path. out: where; None: report.html in the folder of the last one.

    images: how many of the best, and of the worst, are shown. Raises ValueError for a file that is there and no
    report, and as `gather`.
    """
    stages = gather(given, nets)
    path = out or stages[-1].folder / FILE
    _check(path)
    text = page(stages, examine(stages[-1], nets, images))
    with open_atomic(path) as file:
        file.write(text.encode())
    return path


def after_training(given: Sequence[str], nets: Catalogue) -> None:
    """Write the report and tell where it is; what keeps it from being written is told, and takes nothing from the
    training."""
    try:
        with training_log(verbose=False):  # how the net is built is not told again
            path = write(given, nets)
        print(f"{given[-1]}: report: {path}", flush=True)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"{given[-1]}: WARNING: no report: {program.words(error)}", file=sys.stderr, flush=True)


def _check(path: Path) -> None:
    if path.exists() and GENERATOR.encode() not in path.read_bytes()[:2000]:
        raise ValueError(
            f"'{path}' is there already, and no report of this project: it stays. Name another with --out."
        )
