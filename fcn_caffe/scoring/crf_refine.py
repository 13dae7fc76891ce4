"""Refines saved scores by a dense CRF, writes pictures, and measures the gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fcn_caffe.pictures import drawing, outputs
from fcn_caffe.progress import progress
from fcn_caffe.scoring import crf, metrics
from fcn_caffe.scoring.saved_scores import SavedItem, read
from fcn_caffe.scoring.score_table import report


def refine(items: list[SavedItem], out: Path, colours: np.ndarray, chosen: Any, upright: bool) -> None:
    """Write labels and overlays into the folder `out`, and print the scores without and with the CRF where there are
    labels.

    colours: of the classes, 256×3. upright: whether photos are turned as their EXIF orientation says.
    """
    hists: list[np.ndarray] = []
    with progress("crf", "images", len(items)) as advance:
        for item in items:
            given = read(item, upright)
            labels = crf.refined(given.scores, given.image, chosen).argmax(0)
            drawing.save_labels(labels, out / f"{item.name}.png", colours)
            painted = drawing.overlay(Image.fromarray(given.image), labels, colours)
            outputs.save_picture(painted, out / f"{item.name}_overlay.png")
            if given.truth is not None:
                pair = [
                    metrics.confusion(given.truth, each, len(given.scores)) for each in (given.scores.argmax(0), labels)
                ]
                hists = [a + b for a, b in zip(hists, pair)] if hists else pair
            advance()
    for title, hist in zip(("without the CRF", "with the CRF"), hists):
        print(f"{title}: {report(hist)}")
