"""The scores of a net that finds edges, beside those of operators on the same images."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fcn_caffe.progress import progress
from fcn_caffe.scoring import edges

FUSE, EDGES, IMAGE = "fuse", "edges", "data"


def score(net: Any, images: int | None = None, tolerance: float = edges.TOLERANCE) -> dict[str, edges.EdgeScores]:
    """The scores of a net's fused map and of each operator, over the images of its data layer, or the first of them.

    Raises ValueError for a net that does not find edges.
    """
    absent = [blob for blob in (FUSE, EDGES, IMAGE) if blob not in net.blobs]
    if absent:
        raise ValueError(
            f"the net has no blob {', '.join(absent)}, expected one that finds edges, such as camvid-hed."
            " Name such a net."
        )
    total = len(net.layers[0].indices)
    found: dict[str, list[np.ndarray]] = {}
    count = min(images or total, total)
    with progress("scoring", "images", count) as advance:
        for _ in range(count):
            net.forward()
            truth = net.blobs[EDGES].data[0, 0]
            strength = special.expit(net.blobs[FUSE].data[0, 0].astype(np.float64))
            maps = {"net": edges.thin(strength), **edges.operators(net.blobs[IMAGE].data[0].transpose(1, 2, 0))}
            for name, each in maps.items():
                found.setdefault(name, []).append(edges.counts(each, truth, tolerance))
            advance()
    return {name: edges.summary(counted) for name, counted in found.items()}
