"""A picture of the differences between a prediction and the truth."""

from __future__ import annotations

import numpy as np
from PIL import Image

WRONG = (213, 0, 90)
NOT_COUNTED = (120, 130, 150)
PALE = 0.35


def difference(image: Image.Image, truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> Image.Image:
    """The image in pale grey, pixels of another class than the truth in WRONG, and those whose truth is no class in
    NOT_COUNTED. truth, predicted: height×width."""
    grey = np.asarray(image.convert("L"), np.float32)
    picture = np.repeat((PALE * grey + (1 - PALE) * 255)[..., None], 3, axis=2)
    counted = (truth >= 0) & (truth < n_classes)
    picture[~counted] = 0.5 * picture[~counted] + 0.5 * np.array(NOT_COUNTED, np.float32)
    picture[counted & (truth != predicted)] = WRONG
    return Image.fromarray(picture.astype(np.uint8))
