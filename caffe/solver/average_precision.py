"""Mean average precision of a detector, from what DetectionEvaluate puts out over a test (src/caffe/solver.cpp of SSD).

The formulas of the three versions are SSD's: MaxIntegral takes, between two recalls, the best precision at the lower of
them or beyond, where VOC 2012 takes it at the higher or beyond.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from caffe.errors import NetError
from caffe.log import log
from caffe.net import Net

VERSIONS = ("11point", "MaxIntegral", "Integral")
LEAST_STEP = 1e-6
"""Recalls that are closer are the same."""


class Evaluated:
    """The rows that the outputs of a net had in each batch of a test. param: the SolverParameter"""

    def __init__(self, param: Any) -> None:
        self.param = param
        self.rows: dict[str, list[np.ndarray]] = {}

    def add(self, net: Net) -> None:
        """Take over the outputs of a batch. NetError for one that is not DetectionEvaluate's."""
        for name in net.outputs:
            values = net.blobs[name].data
            if values.shape[-1:] != (5,):
                raise NetError(
                    f"solver: eval_type is detection, and the output '{name}' of the test net is "
                    f"{'×'.join(map(str, values.shape)) or 'one number'}; expected rows of 5 from a DetectionEvaluate "
                    'layer. Silence other outputs, or set eval_type: "classification".'
                )
            self.rows.setdefault(name, []).append(values.reshape(-1, 5).copy())

    def lines(self, prefix: str, batches: int) -> Iterator[str]:
        """What the log says of each output, `{}` in the prefix being its number; classes of which nothing is found are
        warned of."""
        for number, (name, rows) in enumerate(self.rows.items()):
            found = of_classes(np.concatenate(rows), self.param.ap_version)
            for label, precision in found.items():
                if precision is None:
                    log.warning("Missing true_pos for label: %d", label)
                elif self.param.show_per_class_result:
                    yield f"class{label}: {precision:g}"
            mean = sum(precision or 0 for precision in found.values()) / max(len(found), 1)
            yield f"{prefix.format(number)}{name} = {mean:g}"


def of_classes(rows: np.ndarray, version: str) -> dict[int, float | None]:
    """Class → average precision, of rows (R, 5) of DetectionEvaluate; None where nothing was detected that counts."""
    totals, detections = rows[rows[:, 0] == -1], rows[rows[:, 0] != -1]
    detections = detections[(detections[:, 3] != 0) | (detections[:, 4] != 0)]
    found: dict[int, float | None] = {}
    for label in np.unique(totals[:, 1]):
        mine = detections[detections[:, 1] == label]
        count = int(totals[totals[:, 1] == label, 2].sum())
        found[int(label)] = average_precision(mine[:, 2], mine[:, 3] == 1, count, version) if len(mine) else None
    return found


def average_precision(scores: np.ndarray, right: np.ndarray, positives: int, version: str) -> float:
    """The area below the precisions over the recalls; 0 without a detection or a true box.

    scores, right: of each detection; positives: how many true boxes there are; version: one of VERSIONS
    """
    if not len(scores) or not positives:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precisions = hits / np.arange(1, len(hits) + 1)
    recalls = (
        (hits / positives).astype(np.float32).astype(np.float64)
    )  # 0.7 in float32 is below 0.7, as SSD compares them
    if version == "11point":
        return float(np.mean([precisions[recalls >= step / 10].max(initial=0) for step in range(11)]))
    best: np.ndarray = np.maximum.accumulate(precisions[::-1])[::-1] if version == "MaxIntegral" else precisions
    steps = np.concatenate([recalls[:1], recalls[1:] - recalls[:-1]])
    steps[steps <= LEAST_STEP] = 0
    if version == "MaxIntegral":
        return float((steps[1:] * best[:-1]).sum() + recalls[0] * best[0])
    return float((steps * best).sum())


def check(param: Any) -> None:
    """Raise NetError for an eval_type or an ap_version that is not known."""
    if param.eval_type not in ("classification", "detection"):
        raise NetError(
            f"solver: eval_type is {param.eval_type}: Unknown evaluation type, expected classification or detection "
            "(ParseNet's segmentation is not implemented). Correct it."
        )
    if param.ap_version not in VERSIONS:
        raise NetError(f"solver: Unknown ap_version: {param.ap_version}, expected {', '.join(VERSIONS)}. Correct it.")
