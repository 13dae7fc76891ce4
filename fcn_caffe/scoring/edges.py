"""Scores of edge maps: thinning, matching with a tolerance, and ODS, OIS and AP.

A predicted pixel is right if a true edge lies within the tolerance, a true pixel is found if a predicted one does, by
Euclidean distance. The benchmark of BSDS matches pixels one to one instead, which scores lower where edges are thick or
double; thinned maps differ little. Beside nets stand Sobel's and Canny's operators.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

THRESHOLDS = np.linspace(0.01, 0.99, 50)
TOLERANCE = 0.0075
"""Of an image's diagonal: that of BSDS."""


@dataclass(frozen=True)
class EdgeScores:
    """ods: F at the threshold that is best for all images together, and that threshold; ois: with each image's own; ap:
    the area under precision over recall."""

    ods: float
    threshold: float
    ois: float
    ap: float


def thin(strength: np.ndarray) -> np.ndarray:
    """The map, H×W, with zeros where a neighbour across the edge is stronger.

    Across is the axis of the smoothed map's largest curvature, whatever its sign.
    """
    smooth = ndimage.gaussian_filter(strength.astype(np.float64), 1, mode="nearest")
    dy, dx = np.gradient(smooth)
    (dyy, dyx), (_, dxx) = np.gradient(dy), np.gradient(dx)
    highest = 0.5 * np.arctan2(2 * dyx, dxx - dyy)  # the axis of the highest curvature; the lowest is square to it
    half, mean = np.hypot((dxx - dyy) / 2, dyx), (dxx + dyy) / 2
    return _peaks(strength, np.where(np.abs(mean + half) >= np.abs(mean - half), highest, highest + np.pi / 2))


def sobel(image: np.ndarray) -> np.ndarray:
    """The length of an image's gradient, H×W×channels to H×W in 0–1, thinned."""
    strength, angle = _gradient(image, 1.0)
    return _peaks(strength / max(strength.max(), 1e-12), angle)


def canny(image: np.ndarray, deviation: float = 2.0, low: float = 0.4) -> np.ndarray:
    """Canny's edges of an image as a map of strengths, height×width: the highest threshold at which each pixel is one.

    With a threshold t, pixels from `low` · t on are edges if a chain of such leads to one of t.
    """
    strength, angle = _gradient(image, deviation)
    thinned = _peaks(strength / max(strength.max(), 1e-12), angle)
    found = np.zeros_like(thinned)
    for threshold in THRESHOLDS:
        parts, count = ndimage.label(thinned >= low * threshold, np.ones((3, 3)))
        strong = np.zeros(count + 1, bool)
        strong[np.unique(parts[thinned >= threshold])] = True
        strong[0] = False
        found[strong[parts]] = threshold
    return found


def _gradient(image: np.ndarray, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the channel where it is longest: its length, and its angle."""
    smooth = ndimage.gaussian_filter(image.astype(np.float64), (deviation, deviation, 0), mode="nearest")
    dy, dx = (ndimage.sobel(smooth, axis, mode="nearest") for axis in (0, 1))
    best = np.hypot(dy, dx).argmax(2)[..., None]
    dy, dx = (np.take_along_axis(each, best, 2)[..., 0] for each in (dy, dx))
    return np.hypot(dy, dx), np.arctan2(dy, dx)


def _peaks(strength: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """The map where it is at least as strong as a pixel further in both directions of `angle`, else 0."""
    rows, columns = np.mgrid[: strength.shape[0], : strength.shape[1]].astype(np.float64)
    down, right = np.sin(angle), np.cos(angle)
    kept = strength > 0
    for sign in (1, -1):
        beside = ndimage.map_coordinates(
            strength, (rows + sign * down, columns + sign * right), order=1, mode="nearest"
        )
        kept &= strength >= beside - 1e-12
    return np.where(kept, strength, 0)


def counts(strength: np.ndarray, truth: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """For each of THRESHOLDS, pixels: predicted rightly, predicted, true and found, true; an array THRESHOLDS×4.

    strength, truth: height×width. Void (255) in the truth counts nowhere.
    """
    reach = tolerance * np.hypot(*truth.shape)
    known, true = truth != 255, truth == 1
    far = np.full(truth.shape, np.inf)
    near_true = (ndimage.distance_transform_edt(~true) if true.any() else far) <= reach
    rows = []
    for threshold in THRESHOLDS:
        predicted = (strength >= threshold) & known
        near = (ndimage.distance_transform_edt(~predicted) if predicted.any() else far) <= reach
        rows.append([(predicted & near_true).sum(), predicted.sum(), (true & near).sum(), true.sum()])
    return np.array(rows, np.int64)


def summary(images: Iterable[np.ndarray]) -> EdgeScores:
    """The scores of many images' `counts`. Raises ValueError where there is no true edge in any.

    Of equally good thresholds of an image, OIS takes the highest: where nothing is true, each pixel that is not
    predicted helps.
    """
    each = list(images)
    total = np.sum(each, axis=0)
    if not total[0, 3]:
        raise ValueError(
            "no image has a true edge, expected some. Are the labels those of the data set? Where void lies round each "
            "object, as in VOC's, no two classes meet."
        )
    f = _f(total)
    best = int(f.argmax())
    highest_first = [counted[::-1] for counted in each]
    own = np.sum([counted[int(_f(counted).argmax())] for counted in highest_first], axis=0)
    precision, recall = _rates(total)
    return EdgeScores(float(f[best]), float(THRESHOLDS[best]), float(_f(own[None])[0]), _area(precision, recall))


def _rates(counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    right, predicted, found, true = counted.T.astype(np.float64)
    return np.where(predicted > 0, right / np.maximum(predicted, 1), 1), found / np.maximum(true, 1)


def _f(counted: np.ndarray) -> np.ndarray:
    precision, recall = _rates(counted)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-12)


def _area(precision: np.ndarray, recall: np.ndarray) -> float:
    """Under precision over recall, from 0 to the largest recall; each precision is the best at that recall or more."""
    order = np.argsort(recall, kind="stable")
    recall, precision = recall[order], np.maximum.accumulate(precision[order][::-1])[::-1]
    return float((np.diff(np.concatenate([[0.0], recall])) * precision).sum())


def table(scores: dict[str, EdgeScores]) -> str:
    """A line each."""
    lines = [f"{'':16} {'ODS':>6} {'at':>5} {'OIS':>6} {'AP':>6}"]
    for name, each in scores.items():
        lines.append(f"{name:16} {each.ods:6.3f} {each.threshold:5.2f} {each.ois:6.3f} {each.ap:6.3f}")
    return "\n".join(lines)


def operators(image: np.ndarray) -> dict[str, np.ndarray]:
    """What stands beside a net: maps of an image, H×W×channels."""
    return {"Sobel": sobel(image), "Canny": canny(image)}
