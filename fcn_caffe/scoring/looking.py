"""Predictions of a net with a data layer for certain images of its data set, with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

CHANNELS = 3


class Seen(NamedTuple):
    """An image, and its true and predicted labels, both height×width."""

    name: str
    image: Image.Image
    truth: np.ndarray
    predicted: np.ndarray


def look(net: Any, positions: Sequence[int], mean: Sequence[float], label: str, score: str) -> list[Seen]:
    """The images at these positions of the data layer's list. mean: what the layer subtracts, blue, green, red.

    Raises ValueError for a net whose images are no photos, or whose data layer cannot be told where to begin.
    """
    layer = net.layers[0]
    if not hasattr(layer, "set_state"):
        raise ValueError(
            "the data layer cannot be told with which image to begin, expected one of this project's."
            " Name a net with one of these."
        )
    if "data" not in net.blobs or net.blobs["data"].shape[1] != CHANNELS or len(mean) != CHANNELS:
        raise ValueError("the net sees something else than the colours of photos. Name a net that takes photos.")
    found = []
    for position in positions:
        layer.set_state({**layer.state(), "position": int(position)})
        net.forward(blobs=["data", label, score])
        bgr = net.blobs["data"].data[0].transpose(1, 2, 0) + np.asarray(mean, np.float32)
        image = Image.fromarray(bgr[:, :, ::-1].round().clip(0, 255).astype(np.uint8))
        predicted = net.blobs[score].data[0].argmax(0)
        truth = net.blobs[label].data[0].reshape(predicted.shape).astype(np.int64)
        found.append(Seen(layer.indices[position], image, truth, predicted))
    return found
