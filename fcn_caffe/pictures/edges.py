"""Maps of edges as pictures: gray values to look at and to store."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import special

from fcn_caffe.data_layers.segdata.labels import VOID


def probability(scores: np.ndarray) -> np.ndarray:
    """The probability of an edge, height×width, of the scores of "no edge" and "edge", 2×height×width."""
    return special.expit(scores[1].astype(np.float64) - scores[0])


def stored(probabilities: np.ndarray) -> Image.Image:
    """255 times the probability of an edge, height×width, as files of edges have it."""
    return Image.fromarray(np.round(255 * probabilities).astype(np.uint8))


def printed(probabilities: np.ndarray) -> Image.Image:
    """Edges in black on white, as papers print them, of probabilities, height×width."""
    return stored(1 - probabilities).convert("RGB")


def printed_truth(edges: np.ndarray) -> Image.Image:
    """The same of true edges, height×width: 1 an edge, 0 none, void gray."""
    return printed(np.where(edges == VOID, 0.25, edges))
