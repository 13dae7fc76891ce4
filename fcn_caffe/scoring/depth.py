"""Metrics of predicted depth by Eigen, Puhrsch and Fergus (NIPS 2014).

Over all pixels of all images whose depth y is known, ŷ the predicted one, both in metres:

rel       mean |ŷ − y| / y
rms       √ mean (ŷ − y)²
log10     mean |log10 ŷ − log10 y|
δ_k       share of the pixels with max(ŷ/y, y/ŷ) < 1.25^k
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fcn_caffe.data_layers.depth_layers import known_depth
from fcn_caffe.progress import progress

THRESHOLD = 1.25
LARGEST = 20.0
"""Of the logarithm that is predicted: far beyond any depth, and no infinity."""


@dataclass
class DepthErrors:
    """Sums over pixels; `add` an image, and read the measures."""

    pixels: int = 0
    sums: np.ndarray = field(default_factory=lambda: np.zeros(6))

    def add(self, logarithm: np.ndarray, depth: np.ndarray) -> None:
        """The logarithms that were predicted and the true depth of an image, of one shape; unknown depth is 0."""
        known = known_depth(depth)
        y = depth[known].astype(np.float64)
        logs = np.clip(logarithm[known].astype(np.float64), -LARGEST, LARGEST)
        predicted, off = np.exp(logs), np.abs(logs - np.log(y))
        self.pixels += y.size
        self.sums += [
            (np.abs(predicted - y) / y).sum(),
            ((predicted - y) ** 2).sum(),
            off.sum() / np.log(10),
            *((off < power * np.log(THRESHOLD)).sum() for power in (1, 2, 3)),
        ]

    def measures(self) -> dict[str, float]:
        """rel, rms (metres), log10, delta1, delta2 and delta3. Raises ValueError if no pixel had a depth."""
        if not self.pixels:
            raise ValueError("the images have no pixel of known depth, expected some. Is it the right folder of depth?")
        rel, square, log10, *near = (self.sums / self.pixels).tolist()
        return {"rel": rel, "rms": square**0.5, "log10": log10, **{f"delta{k}": near[k - 1] for k in (1, 2, 3)}}


def predicts_depth(net: Any, heads: dict[str, str]) -> bool:
    """Whether what a net scores is a depth: one number a pixel, not one for each class."""
    return all(score in net.blobs and net.blobs[score].shape[1:2] == (1,) for score in heads.values())


def measure(net: Any, label: str, score: str, images: int | None = None) -> dict[str, dict[str, float]]:
    """The measures of the net, over the images of its data layer or the first of them; and of the best constant, the
    mean logarithm of the true depth of these images."""
    layer = net.layers[0]
    layer.set_state({**layer.state(), "position": 0})
    count = min(images or len(layer.indices), len(layer.indices))
    own, truths = DepthErrors(), []
    with progress("scoring", "images", count) as advance:
        for _ in range(count):
            net.forward(blobs=[label, score])
            truth = net.blobs[label].data.copy()
            own.add(net.blobs[score].data, truth)
            truths.append(truth)
            advance()
    logs = np.concatenate([np.log(truth[known_depth(truth)]) for truth in truths])
    constant = DepthErrors()
    for truth in truths:
        constant.add(np.full(truth.shape, logs.mean() if logs.size else 0), truth)
    return {"net": own.measures(), "constant": constant.measures()}


def table(found: dict[str, dict[str, float]]) -> str:
    """One line for each predictor."""
    lines = [f"{'':10} {'rel':>7} {'rms (m)':>8} {'log10':>7} {'δ<1.25':>7} {'<1.25²':>7} {'<1.25³':>7}"]
    for name, values in found.items():
        rel, rms, *others = values.values()
        lines.append(f"{name:10} {rel:7.4f} {rms:8.4f} " + " ".join(f"{value:7.4f}" for value in others))
    return "\n".join(lines)
