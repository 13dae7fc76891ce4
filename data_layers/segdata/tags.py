"""Tags of a label: the classes that are in the image, without their positions."""

from __future__ import annotations

import numpy as np

PRESENT, SIZES = "present", "sizes"
KINDS = (PRESENT, SIZES)


def of(label: np.ndarray, classes: int, kind: str) -> np.ndarray:
    """classes×1×1, float32, of a label: 1 for a class that is in it, else 0; or its share of what is not void."""
    counts = np.bincount(label.reshape(-1), minlength=classes)[:classes].astype(np.float64)
    values = counts > 0 if kind == PRESENT else counts / max(counts.sum(), 1)
    return values.astype(np.float32).reshape(classes, 1, 1)
