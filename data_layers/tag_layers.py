"""Losses for images of which only the tags are known, as Python layers: they run in any Caffe.

bottom: scores before a softmax, 1×C×H×W; tags, 1×C×1×1, 0 for a class that the image does not have, else 1, or the
share of its pixels (a data layer's setting `tags`). Class 0 is the background. top: the loss, one number. An image
without any tag, which is all void, has no loss; scores that are not finite have none that is a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import caffe
from fcn_caffe.data_layers.segdata import params
from fcn_caffe.data_layers.segdata.constraints import Constraints, ConstraintSettings


class _TagLoss(caffe.Layer):
    accepts: tuple[str, ...] = ()

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        self.who = type(self).__name__
        self.settings = params.parse(self.param_str or "{}", self.who, (), self.accepts)
        if len(bottom) != 2 or len(top) != 1:
            raise ValueError(
                f"{self.who} has {len(bottom)} bottom(s) and {len(top)} top(s), expected two, scores and tags, and one."
                " Correct them."
            )

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        scores, tags = bottom[0].data.shape, bottom[1].data.shape
        if len(scores) != 4 or scores[0] != 1 or tags[:2] != scores[:2] or int(np.prod(tags)) != scores[1]:
            raise ValueError(
                f"{self.who}: scores are {scores} and tags {tags}, expected 1×C×H×W and as many tags as classes: give "
                "the data layer the setting tags, and the score layer as many outputs."
            )
        top[0].reshape(1)

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        scores, tags = bottom[0].data[0].astype(np.float64), bottom[1].data.reshape(-1)
        scores = scores.reshape(len(scores), -1)
        if not tags.any():  # all of the image is void
            loss, self.gradient = 0.0, np.zeros_like(scores)
        elif not np.isfinite(scores).all():
            loss, self.gradient = np.nan, np.full_like(scores, np.nan)
        else:
            loss, self.gradient = self.loss(scores, tags)
        top[0].data[...] = loss

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        if propagate_down[1]:
            bottom[1].diff[...] = 0
        if propagate_down[0]:
            bottom[0].diff[...] = (top[0].diff.flat[0] * self.gradient).reshape(bottom[0].data.shape)

    def loss(self, scores: np.ndarray, tags: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss of scores, C×pixels, and its gradient."""
        raise NotImplementedError


class MILLossLayer(_TagLoss):
    """Multiple instance learning: −1/|L| Σ_{l in L} log max_x p_l(x), over the tags L and the background.

    p is the softmax over classes; at the pixel x where l is the likeliest, and nowhere else, it has a gradient.
    (Pathak, Shelhamer, Long, Darrell: Fully Convolutional Multi-Class Multiple Instance Learning, 2014.)
    """

    def loss(self, scores: np.ndarray, tags: np.ndarray) -> tuple[float, np.ndarray]:
        logs = log_softmax(scores)
        present = [0, *(cls for cls in range(1, len(tags)) if tags[cls] > 0)]
        gradient, total = np.zeros_like(scores), 0.0
        for cls in present:
            pixel = int(logs[cls].argmax())
            total -= logs[cls, pixel]
            gradient[:, pixel] += np.exp(logs[:, pixel])
            gradient[cls, pixel] -= 1
        return total / len(present), gradient / len(present)


class CCNNLossLayer(_TagLoss):
    """Constrained CNN: KL(P‖Q) / pixels, Q the softmax of the scores and P the nearest to it that fulfils constraints.

    Absent classes have no share of P; those present have at least `least`, with a slack that costs `slack`; the
    background at least background[0] and, if anything else is there, at most background[1]. If tags are shares, two
    more settings: with `sizes`, a class of more than a tenth of the pixels has at least that; with `within`, each class
    has its own share, give or take that part of it, instead of all these constraints. P is computed anew each time, by
    projected ascent in the dual (segdata/constraints.py). (Pathak, Krähenbühl, Darrell, ICCV 2015.)
    """

    accepts = ("least", "slack", "background", "sizes", "within")

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        super().setup(bottom, top)
        given, who = self.settings, self.who
        of_one = {"least": "a share", "slack": "the price of a constraint", "within": "a part of each share"}
        found = {
            key: float(params.numbers(given, key, (0,), meaning, who)[0])
            for key, meaning in of_one.items()
            if given.get(key) is not None
        }
        low, high = params.numbers(given, "background", ConstraintSettings().background, "two shares", who)
        sizes = params.choice(given, "sizes", False, (False, True), who)
        self.constraints = ConstraintSettings(**found, background=(float(low), float(high)), sizes=bool(sizes))

    def loss(self, scores: np.ndarray, tags: np.ndarray) -> tuple[float, np.ndarray]:
        settings = self.constraints
        if (settings.sizes or settings.within is not None) and abs(tags.sum() - 1) > 1e-3:
            raise ValueError(
                f"{self.who}: the tags {tags.tolist()} are no shares of an image, which sizes and within need. Give "
                "the data layer the setting 'tags': 'sizes'."
            )
        logs = log_softmax(scores)
        latent = Constraints.of(tags, settings).nearest(logs)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(latent > 0, latent * (np.log(latent) - logs), 0)
        pixels = scores.shape[1]
        return float(terms.sum()) / pixels, (np.exp(logs) - latent) / pixels


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """The logarithm of the softmax over the first axis; of the shape of the scores."""
    below = scores - scores.max(0)
    return below - np.log(np.exp(below).sum(0))
