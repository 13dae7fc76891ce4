"""Parts of an image at random, and the boxes that are left in them (SSD: src/caffe/util/sampler.cpp, bbox_util.cpp)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe.data.boxes import areas, intersections, overlaps
from caffe.data.random import WORDS, Random
from caffe.errors import NetError
from caffe.proto import caffe_pb2

WHOLE = np.array([0, 0, 1, 1], np.float32)
CONSTRAINTS = ("jaccard_overlap", "sample_coverage", "object_coverage")


def uniform(draw: Random, low: float, high: float) -> float:
    """A number from low up to high."""
    return low + (high - low) * draw.word() / (WORDS - 1)


def check(samplers: Sequence[Any], owner: str) -> None:
    """Raise NetError for samplers whose ranges are empty."""
    for each in (batch_sampler.sampler for batch_sampler in samplers):
        scales, ratios = (each.min_scale, each.max_scale), (each.min_aspect_ratio, each.max_aspect_ratio)
        if not (0 < scales[0] <= scales[1] <= 1 and 0 < ratios[0] <= ratios[1]):
            raise NetError(
                f"{owner}: a sampler has scales {scales[0]:g} … {scales[1]:g} and aspect ratios {ratios[0]:g} … "
                f"{ratios[1]:g}; expected scales above 0, up to 1, ratios above 0, and no maximum below its minimum."
                " Correct them."
            )


def samples(samplers: Sequence[Any], boxes: np.ndarray, draw: Random) -> list[np.ndarray]:
    """Parts (4,) of an image that meet the samplers' constraints on its boxes (n, 4)."""
    found = []
    for each in samplers:
        if not each.use_original_image:
            continue
        count = 0
        for _ in range(each.max_trials):
            if each.HasField("max_sample") and count >= each.max_sample:
                break
            part = _drawn(each.sampler, draw)
            if meets(part, boxes, each.sample_constraint):
                found.append(part)
                count += 1
    return found


def _drawn(sampler: Any, draw: Random) -> np.ndarray:
    scale = uniform(draw, sampler.min_scale, sampler.max_scale)
    ratio = uniform(draw, sampler.min_aspect_ratio, sampler.max_aspect_ratio)
    ratio = min(max(ratio, scale**2), 1 / scale**2)
    width, height = scale * ratio**0.5, scale / ratio**0.5
    left, top = uniform(draw, 0, 1 - width), uniform(draw, 0, 1 - height)
    return np.array([left, top, left + width, top + height], np.float32)


def meets(part: np.ndarray, boxes: np.ndarray, constraint: Any) -> bool:
    """Whether some box keeps the first limit given: on the overlap, else the part's, else the box's coverage."""
    limits = []
    for name in CONSTRAINTS:
        low, high = (f"{end}_{name}" for end in ("min", "max"))
        if constraint.HasField(low) or constraint.HasField(high):
            limits.append(
                (
                    name,
                    getattr(constraint, low) if constraint.HasField(low) else -np.inf,
                    getattr(constraint, high) if constraint.HasField(high) else np.inf,
                )
            )
    if not limits:
        return True
    shares = {
        "jaccard_overlap": overlaps(part, boxes),
        "sample_coverage": coverage(part, boxes),
        "object_coverage": coverage(boxes, part),
    }
    name, least, most = limits[0]  # a box that keeps the first limit is enough: SSD stops looking there
    return bool(((shares[name] >= np.float32(least)) & (shares[name] <= np.float32(most))).any())


def coverage(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much of the boxes the others cover, as a share."""
    shared, size = intersections(boxes, others), areas(boxes)
    return np.divide(shared, size, out=np.zeros_like(shared), where=shared > 0)


def kept(rows: np.ndarray, part: np.ndarray, constraint: Any | None) -> np.ndarray:
    """The rows (m, 7) of boxes that are left in a part of an image, cut off at its border, as shares of it.

    constraint: an EmitConstraint: boxes whose centre lies outside, or that the part covers too little, are dropped
    """
    boxes = rows[:, 2:6]
    stays = ((boxes[:, 2:] > part[:2]) & (boxes[:, :2] < part[2:])).all(axis=1)
    if constraint is not None:
        if constraint.emit_type == caffe_pb2.EmitConstraint.CENTER:
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2
            stays &= ((centres >= part[:2]) & (centres <= part[2:])).all(axis=1)
        else:
            stays &= coverage(boxes, part) > np.float32(constraint.emit_overlap)
    found = rows[stays].copy()
    found[:, 2:6] = ((found[:, 2:6] - np.tile(part[:2], 2)) / np.tile(part[2:] - part[:2], 2)).clip(0, 1)
    return found[areas(found[:, 2:6]) > 0]
