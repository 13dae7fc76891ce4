"""Labels of boxes: the boxes filled, or what a dense CRF finds in them.

The CRF works like GrabCut: its labels are the background and each box; outside of a box, its label is impossible.
Inside, a pixel's score is the sum of a prior (that objects fill the middle of their boxes, or a net's scores) and the
log likelihood ratio of its colour in the object and in the background. Colours and labels are estimated alternately.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from PIL import Image

from fcn_caffe.boxes.box import ObjectBox
from fcn_caffe.boxes.colours import Mixture
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.pictures.drawing import RESAMPLING
from fcn_caffe.scoring import crf

OUTSIDE = -30.0
"""The score of a box's label outside of it."""
KINDS = ("rectangles", "crf", "chosen")


@dataclass(frozen=True)
class BoxSettings:
    """Settings for finding labels in boxes.

    scale: of the image on which they are found. rounds: of estimating colours and labels alternately. smoothness,
    weight, position, colour: of the CRF: the weight of its kernel over positions (of three pixels), and weight and
    deviations of the one over positions and colours. iterations: of the mean field. steepness, extent: of the prior:
    its score falls from `steepness` in the middle of a box through zero at `extent`, where 1 is the ellipse that the
    box holds. most, share: how much colours count: their score is at most `most`, and counts `share`.
    """

    scale: float = 0.5
    rounds: int = 3
    smoothness: float = 3.0
    weight: float = 5.0
    position: float = 20.0
    colour: float = 10.0
    iterations: int = 5
    steepness: float = 2.0
    extent: float = 1.1
    most: float = 4.0
    share: float = 1.0


SETTINGS = BoxSettings()


def of_boxes(
    image: np.ndarray,
    boxes: Sequence[ObjectBox],
    kind: str,
    classes: Optional[Sequence[int]] = None,
    scores: Optional[Mapping[int, np.ndarray]] = None,
    settings: BoxSettings = SETTINGS,
) -> np.ndarray:
    """The label of an image (height×width×3, RGB) and its boxes: uint8, height×width.

    kind: one of KINDS. classes: those that are looked for (default: all): what lies in the box of another, and is none
    of these, is void. scores: for `chosen`, as `refined` takes them.
    """
    kept = [box for box in boxes if classes is None or box.cls in classes]
    if kind == "rectangles":
        label = rectangles(kept, image.shape[:2])
    else:
        label = refined(image, kept, settings, scores if kind == "chosen" else None)
    for box in boxes:
        if box not in kept:
            part = label[box.inside]
            part[part == 0] = VOID
    return label


def rectangles(boxes: Sequence[ObjectBox], shape: tuple[int, int]) -> np.ndarray:
    """Every box filled with its class, the smaller over the larger: uint8, height×width, background 0."""
    label = np.zeros(shape, np.uint8)
    for box in sorted(boxes, key=lambda box: -box.area):
        label[box.inside] = box.cls
    return label


def refined(
    image: np.ndarray,
    boxes: Sequence[ObjectBox],
    settings: BoxSettings = SETTINGS,
    scores: Optional[Mapping[int, np.ndarray]] = None,
) -> np.ndarray:
    """What the CRF finds in the boxes of an image (height×width×3, RGB): uint8, height×width, background 0.

    scores: of a net, height×width for each class, the background (0), too: the prior, in place of the ellipses. A box
    in which nothing is found is filled.
    """
    shape = image.shape[:2]
    if not boxes:
        return np.zeros(shape, np.uint8)
    height, width = (max(1, round(side * settings.scale)) for side in shape)
    small = np.asarray(Image.fromarray(image).resize((width, height), RESAMPLING.BILINEAR))
    scaled = [box.scaled(settings.scale, height, width) for box in boxes]
    priors = [_prior(box, (height, width), settings) for box in scaled]
    if scores is not None:
        resized = {cls: _resized(scores[cls], (height, width)) for cls in {0, *(box.cls for box in boxes)}}
        priors = [np.clip(resized[box.cls] - resized[0], -settings.most, settings.most) for box in boxes]
    shares = _shares(small, scaled, priors, settings)
    large = np.stack([_resized(share, shape) for share in shares])
    return _classes(large, boxes, shape)


def _prior(box: ObjectBox, shape: tuple[int, int], settings: BoxSettings) -> np.ndarray:
    """The score of a box's label from where a pixel lies in it, height×width."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    down = (y + 0.5 - (box.top + box.bottom) / 2) / ((box.bottom - box.top) / 2)
    right = (x + 0.5 - (box.left + box.right) / 2) / ((box.right - box.left) / 2)
    return settings.steepness * (1 - (down**2 + right**2) / settings.extent**2)


def _shares(
    image: np.ndarray, boxes: Sequence[ObjectBox], priors: Sequence[np.ndarray], settings: BoxSettings
) -> np.ndarray:
    """The probability of the background and of each box at every pixel: boxes + 1, height, width."""
    chosen = _dense_crf(image, settings)
    found = np.stack([np.zeros(image.shape[:2]), *map(_within, boxes, priors)])
    for _ in range(settings.rounds):
        labels = found.argmax(0)
        scores = [np.zeros(image.shape[:2])]
        for index, (box, prior) in enumerate(zip(boxes, priors), 1):
            colours = _colour_score(image, box, labels == index, _near(box, boxes, image.shape[:2]), settings)
            scores.append(_within(box, prior + settings.share * colours))
        found = chosen(np.stack(scores).astype(np.float32))
    return found


def _dense_crf(image: np.ndarray, settings: BoxSettings) -> Callable[[np.ndarray], np.ndarray]:
    """The dense CRF of these settings on an image: probabilities of scores."""
    kernels: list[dict[str, Any]] = [
        {"weight": settings.smoothness, "position": 3.0},
        {"weight": settings.weight, "position": settings.position, "colour": settings.colour},
    ]
    return crf.refining(image, crf.made(kernels, settings.iterations))


def _within(box: ObjectBox, score: np.ndarray) -> np.ndarray:
    """A score that is impossible outside of a box."""
    limited = np.full(score.shape, OUTSIDE)
    limited[box.inside] = score[box.inside]
    return limited


def _near(box: ObjectBox, boxes: Sequence[ObjectBox], shape: tuple[int, int]) -> np.ndarray:
    """The surroundings of a box: half its size on each side, without other boxes of its class."""
    height, width = box.bottom - box.top, box.right - box.left
    grow_y, grow_x = max(height // 2, 8), max(width // 2, 8)
    near = np.zeros(shape, bool)
    near[max(0, box.top - grow_y) : box.bottom + grow_y, max(0, box.left - grow_x) : box.right + grow_x] = True
    for other in boxes:
        if other.cls == box.cls:
            near[other.inside] = False
    return near


def _colour_score(
    image: np.ndarray, box: ObjectBox, object_: np.ndarray, near: np.ndarray, settings: BoxSettings
) -> np.ndarray:
    """The log likelihood ratio of each pixel's colour in the object and around it, limited; 0 where either is
    unknown.
    """
    around = near.copy()
    around[box.inside] |= ~object_[box.inside]
    if object_.sum() < 10 or around.sum() < 10:
        return np.zeros(image.shape[:2])
    ours, theirs = (Mixture(image[where]) for where in (object_, around))
    score = np.zeros(image.shape[:2])
    part = image[box.inside]
    score[box.inside] = np.clip(ours.log_density(part) - theirs.log_density(part), -settings.most, settings.most)
    return score


def _classes(shares: np.ndarray, boxes: Sequence[ObjectBox], shape: tuple[int, int]) -> np.ndarray:
    """Of each box what is likeliest; where that is nothing, the box filled, over larger ones if there is no other
    place.
    """
    found = shares.argmax(0)
    label = np.zeros(shape, np.uint8)
    for index, box in sorted(enumerate(boxes, 1), key=lambda pair: -pair[1].area):
        mask = found == index
        mask[: box.top] = mask[box.bottom :] = False
        mask[:, : box.left] = mask[:, box.right :] = False
        if not mask.any():
            mask[box.inside] = label[box.inside] == 0
        if not mask.any():
            mask[box.inside] = True
        label[mask] = box.cls
    return label


def _resized(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Values, height×width, at another size."""
    picture = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), RESAMPLING.BILINEAR))
