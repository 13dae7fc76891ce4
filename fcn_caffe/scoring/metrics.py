"""The four metrics of the FCN papers, from a confusion matrix. NumPy alone.

The matrix counts pixels: row = true class, column = predicted class. With n_ij pixels of class i predicted as class j,
t_i = Σ_j n_ij and k classes (Long et al., CVPR 2015, section 5):

pixel accuracy          Σ_i n_ii / Σ_i t_i
mean accuracy           1/k Σ_i n_ii / t_i
mean IU                 1/k Σ_i n_ii / (t_i + Σ_j n_ji − n_ii)
frequency weighted IU   Σ_i t_i n_ii / (t_i + Σ_j n_ji − n_ii) / Σ_i t_i
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def confusion(truth: np.ndarray, prediction: np.ndarray, n_classes: int) -> np.ndarray:
    """Confusion matrix of two label maps of one shape, n_classes×n_classes, int64.

    Pixels whose truth is none of 0..n_classes-1, such as the void label 255, do not count. Raises ValueError if shapes
    differ or a counted pixel is predicted to be no class.
    """
    if truth.shape != prediction.shape:
        raise ValueError(
            f"confusion: truth is {truth.shape}, prediction {prediction.shape}; expected one shape. "
            "Score at the label's own size."
        )
    counted = (truth >= 0) & (truth < n_classes)
    true_class = truth[counted].astype(np.int64)
    predicted_class = prediction[counted].astype(np.int64)
    if predicted_class.size and not 0 <= predicted_class.min() <= predicted_class.max() < n_classes:
        raise ValueError(
            f"confusion: predictions range from {predicted_class.min()} to {predicted_class.max()}; expected classes "
            f"0..{n_classes - 1}. Does the net have another number of classes than the labels?"
        )
    counts = np.bincount(n_classes * true_class + predicted_class, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


@dataclasses.dataclass(frozen=True)
class Scores:
    """The four metrics, and each class's accuracy and IU (NaN for a class that has none). All are shares of 1."""

    pixel_accuracy: float
    mean_accuracy: float
    mean_iu: float
    fw_iu: float
    accuracy: list[float]
    iu: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: None for NaN."""
        values = dataclasses.asdict(self)
        for key, value in values.items():
            values[key] = [_or_none(v) for v in value] if isinstance(value, list) else _or_none(value)
        return values


def scores(hist: np.ndarray, exclude_absent: bool = False) -> Scores:
    """The metrics of a confusion matrix, classes×classes: row the true class, column the predicted one.

    Means are over the classes that have the value. A class that is neither in the truth nor predicted has none. One
    that is predicted without being in the truth has an IU of 0, as in the published scores, or none if
    `exclude_absent`: the papers leave such classes out for SIFT Flow (CVPR paper, footnote 10). A matrix without
    pixels scores NaN.
    """
    hist = np.asarray(hist, dtype=np.float64)
    correct, true, predicted = np.diag(hist), hist.sum(1), hist.sum(0)
    accuracy = _ratio(correct, true)
    iu = _ratio(correct, true + predicted - correct)
    if exclude_absent:
        iu[true == 0] = np.nan
    present = true > 0
    return Scores(
        pixel_accuracy=float(_ratio(correct.sum(), true.sum())),
        mean_accuracy=_mean(accuracy),
        mean_iu=_mean(iu),
        fw_iu=float(_ratio((true[present] * iu[present]).sum(), true.sum())),
        accuracy=accuracy.tolist(),
        iu=iu.tolist(),
    )


def absent(hist: np.ndarray) -> list[int]:
    """The classes without a pixel in the truth. hist: the confusion matrix, classes×classes."""
    return np.flatnonzero(np.asarray(hist).sum(1) == 0).tolist()


def without(hist: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """The confusion matrix, classes×classes, without the pixels that truly are of one of `classes` (then void).

    What other classes' pixels are predicted as stays. Raises ValueError for a class that there is not.
    """
    hist = np.array(hist)
    strange = [cls for cls in classes if not 0 <= cls < len(hist)]
    if strange:
        raise ValueError(f"there is no class {strange[0]} to leave out, expected 0..{len(hist) - 1}. Correct it.")
    hist[list(classes)] = 0
    return hist


def is_all_background(hist: np.ndarray) -> bool:
    """Whether, in a confusion matrix (classes×classes), nearly all is predicted as 0 though others are there.

    This is what nets give whose score or upsampling layers are still zero: at most one pixel in a thousand is
    predicted as anything else.
    """
    hist = np.asarray(hist)
    return bool(hist[1:].sum() > 0 and hist[:, 1:].sum() <= hist.sum() / 1000)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    whole = np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)


def _mean(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
