"""Which label values are legal, and which class each becomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

VOID = 255


class LabelMap:
    """Checks label values against the number of classes, and keeps only some classes where asked to.

    n_classes: the label files hold 0..n_classes-1, or 255 for void.
    classes: ids to keep; they become 0, 1, 2, … in the order given, and every other id becomes void.
    """

    def __init__(self, n_classes: int, classes: Sequence[int] | None = None):
        self.n_classes = n_classes
        self._legal = [*range(n_classes), VOID]
        self._table = np.arange(256, dtype=np.uint8)
        if classes is not None:
            self._table[:] = VOID
            self._table[list(classes)] = np.arange(len(classes))

    def __call__(self, label: np.ndarray, path: str) -> np.ndarray:
        """The label as uint8, height×width. Raises ValueError with the file's path and the values that no class has."""
        if label.dtype == np.uint8:
            found = np.flatnonzero(np.bincount(label.ravel(), minlength=256))
        else:
            found = np.unique(label)
        bad = found[~np.isin(found, self._legal)].tolist()
        if bad:
            some = ", ".join(map(str, bad[:8])) + (", …" if len(bad) > 8 else "")
            raise ValueError(
                f"label '{path}' has the value(s) {some}, expected 0..{self.n_classes - 1} or {VOID} (void). "
                "Correct the label, or say in param_str how many classes the labels have (n_classes)."
            )
        return self._table[label.astype(np.uint8, copy=False)]
