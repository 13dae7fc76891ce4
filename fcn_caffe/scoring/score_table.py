"""Scores as a table to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcn_caffe.scoring import metrics

WARNING = (
    "WARNING: everything is predicted as class 0. The usual cause: score or upsampling layers are zero, because "
    "weights were not loaded (--weights) or surgery.interp was not run; or the training has not begun to learn."
)
ONE_CLASS = (
    "a mean over one class says nothing. The usual cause: masks of 0 and 255, which is void; look the data over with "
    "`fcn data check`."
)
NO_PIXEL = (
    "no pixel counts: each is void or of no class that the net knows. Compare the masks with the net's classes; "
    "`fcn data check` looks the data over."
)
PREDICTED_AS = 3
"""How many of the classes that a class is mistaken for are shown."""


def report(
    hist: np.ndarray,
    exclude_absent: bool = False,
    names: Sequence[str] | None = None,
    loss: float | None = None,
) -> str:
    """The four metrics of a confusion matrix (classes×classes), and of each class accuracy, IU, share and confusions.

    A class that the truth has nowhere is said to be so; a net that predicts nothing but class 0, too. Where the truth
    has one class only there are no means, and where it has none there is no score.
    """
    found = metrics.scores(hist, exclude_absent)
    names = names or [f"class {index}" for index in range(len(hist))]
    hist = np.asarray(hist)
    true = np.flatnonzero(hist.sum(1))
    lines = [_means(found, len(true)) + ("" if loss is None else f"   mean loss {loss:.6g}")]
    if len(true) < 2:
        why = f"every pixel that counts is truly {names[true[0]]}: {ONE_CLASS}" if len(true) else NO_PIXEL
        lines.append(f"  WARNING: {why}")
    width = max(len("class"), *map(len, names))
    lines.append(f"  {'':3}  {'class':{width}}  accuracy     IU  of the truth  predicted as another class")
    total = max(hist.sum(), 1)
    for index, name in enumerate(names):
        lines.append(
            f"  {index:3}  {name:{width}}  {_number(found.accuracy[index])}  {_number(found.iu[index])}  "
            f"{hist[index].sum() / total:12.2%}  {_mistakes(hist[index], index, names)}".rstrip()
        )
    absent = [names[index] for index in metrics.absent(hist)]
    if absent:
        how = "left out of the means" if exclude_absent else "they count with an IU of 0 where they are predicted"
        lines.append(f"  no pixel counts whose truth is {', '.join(absent)}: {how}")
    if metrics.is_all_background(hist):
        lines.append(WARNING)
    return "\n".join(lines)


def as_dict(hist: np.ndarray, exclude_absent: bool, names: Sequence[str] | None, loss: float | None) -> dict[str, Any]:
    """The same as plain values, with the confusion matrix, true classes×predicted classes."""
    return {
        **metrics.scores(hist, exclude_absent).as_dict(),
        "classes": names,
        "absent": metrics.absent(hist),
        "absent_excluded": exclude_absent,
        "loss": loss,
        "confusion": hist.tolist(),
    }


def _means(found: metrics.Scores, classes: int) -> str:
    """The four metrics; a dash for those that say nothing of a truth of so many classes."""
    means = (found.mean_accuracy, found.mean_iu, found.fw_iu) if classes != 1 else (np.nan,) * 3
    pixels, accuracy, iu, weighted = (
        "–" if np.isnan(each) else f"{each:.4f}" for each in (found.pixel_accuracy, *means)
    )
    return f"pixel accuracy {pixels}   mean accuracy {accuracy}   mean IU {iu}   frequency weighted IU {weighted}"


def _number(value: float) -> str:
    return "     –" if np.isnan(value) else f"{value:6.3f}"


def _mistakes(row: np.ndarray, index: int, names: Sequence[str]) -> str:
    """What the pixels of one class are predicted as, the commonest mistakes first."""
    wrong = row.astype(np.int64).copy()
    wrong[index] = 0
    most = [cls for cls in np.argsort(-wrong, kind="stable")[:PREDICTED_AS] if wrong[cls] * 1000 >= max(row.sum(), 1)]
    return ", ".join(f"{names[cls]} {wrong[cls] / row.sum():.1%}" for cls in most)
