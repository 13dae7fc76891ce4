"""The best mean IU at a stride: labels sampled down by a factor and up again (CVPR 2015, appendix A).

    python -m analyses upper_bound                            seg11valid, by what gives the paper's figures
    python -m analyses upper_bound --split val --down nearest --up nearest
    python -m analyses upper_bound --all --step 8             every procedure, on every 8th label

The paper does not say how it samples. --down is how a class's mask becomes its share of each cell of the coarse grid,
--up how the shares come back to the label's size, where the class with the largest share wins:

mean        of a cell's pixels                     doubling    bilinear, by 2 again and again, as skip nets do it
bilinear    weights that fall off over a cell      bilinear    at once
nearest     the cell's central pixel               nearest     each pixel takes its cell's
majority    the cell's commonest class alone

--void is what void pixels are in the mask: background, a class of their own (and wrong wherever it wins), or nothing.
Void pixels of the truth do not count.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from analyses import voc_labels
from analyses.voc_labels import CLASSES, VOID
from fcn_caffe import program
from fcn_caffe.scoring import metrics

PUBLISHED = {128: 50.9, 64: 73.3, 32: 86.1, 16: 92.8, 8: 96.4, 4: 98.5}
DOWN = ("mean", "bilinear", "nearest", "majority")
UP = ("doubling", "bilinear", "nearest")
VOIDS = ("background", "class", "nothing")


@dataclass(frozen=True)
class Procedure:
    """How labels are sampled. The default is the one that gives the paper's figures."""

    down: str = "mean"
    up: str = "doubling"
    void: str = "background"

    def __call__(self, label: np.ndarray, factor: int) -> np.ndarray:
        """A label map, height×width, after the way down and up again."""
        height, width = label.shape
        rows, columns = _down(self.down, height, factor), _down(self.down, width, factor)
        back_rows, back_columns = (_up(self.up, length, factor) for length in label.shape)
        mask = np.where(label == VOID, 0, label).astype(np.uint8) if self.void == "background" else label
        classes = np.flatnonzero(np.bincount(mask.ravel()))
        if self.void == "nothing":
            classes = classes[classes != VOID]
        shares = np.stack([rows @ (mask == number).astype(np.float32) @ columns.T for number in classes])
        if self.down == "majority":
            shares = (shares.argmax(0) == np.arange(len(classes))[:, None, None]).astype(np.float32)
        best, winner = np.full(label.shape, -1, np.float32), np.empty_like(label)
        for number, share in zip(classes, shares):
            value = back_rows @ share @ back_columns.T
            better = value > best
            best[better], winner[better] = value[better], number
        return winner


@functools.cache
def _down(kind: str, length: int, factor: int) -> sparse.csr_matrix:
    """Cells × pixels of an axis: how much each pixel weighs in each cell. The last cell may be cut."""
    cells, pixels = np.arange(-(-length // factor))[:, None], np.arange(length)
    distance = np.abs(pixels + 0.5 - (cells + 0.5) * factor)
    if kind == "nearest":
        weights = pixels == np.minimum(cells * factor + factor // 2, length - 1)
    elif kind == "bilinear":
        weights = np.maximum(0, 1 - distance / factor)
    else:
        weights = distance < factor / 2
    return sparse.csr_matrix((weights / weights.sum(1, keepdims=True)).astype(np.float32))


@functools.cache
def _up(kind: str, length: int, factor: int) -> sparse.csr_matrix:
    """Pixels × cells of an axis: how much each cell weighs in each pixel."""
    cells = -(-length // factor)
    if kind == "nearest":
        weights = sparse.csr_matrix(np.repeat(np.eye(cells, dtype=np.float32), factor, axis=0))
    elif kind == "bilinear":
        weights = _interpolation(cells, factor)
    else:
        weights = _interpolation(cells, 1)
        while weights.shape[0] < cells * factor:
            weights = _interpolation(weights.shape[0], 2) @ weights
    return weights[:length]


def _interpolation(length: int, factor: int) -> sparse.csr_matrix:
    """(length · factor) × length: bilinear interpolation, constant beyond the outermost centres."""
    position = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
    return sparse.csr_matrix(np.maximum(0, 1 - np.abs(position[:, None] - np.arange(length))).astype(np.float32))


def bounds(folder: Path, split: str, procedures: list[Procedure], step: int = 1) -> dict[Procedure, dict[int, float]]:
    """For each procedure and each of the paper's factors, mean IU in percent over every `step`-th label of a split."""
    runs = list(itertools.product(procedures, PUBLISHED))
    hists = {run: np.zeros((CLASSES + 1,) * 2, np.int64) for run in runs}
    for label in voc_labels.labels(folder, split, step):
        counted = label != VOID
        if not counted.any():
            continue
        truth = label[counted].astype(np.int64) * (CLASSES + 1)
        for run in runs:
            procedure, factor = run
            predicted = np.minimum(procedure(label, factor)[counted], CLASSES)
            hists[run] += np.bincount(truth + predicted, minlength=(CLASSES + 1) ** 2).reshape(hists[run].shape)
    found: dict[Procedure, dict[int, float]] = {procedure: {} for procedure in procedures}
    for (procedure, factor), hist in hists.items():
        found[procedure][factor] = 100 * metrics.scores(hist, exclude_absent=True).mean_iu
    return found


def table(found: dict[Procedure, dict[int, float]]) -> str:
    """A row a procedure, the nearest to the paper first; the last column is the largest difference from it."""
    away = {
        procedure: max(abs(values[factor] - paper) for factor, paper in PUBLISHED.items())
        for procedure, values in found.items()
    }
    lines = [f"{'down':9} {'up':9} {'void':10} " + " ".join(f"{factor:6}" for factor in PUBLISHED) + "  largest diff."]
    lines.append(f"{'published':30} " + " ".join(f"{paper:6.1f}" for paper in PUBLISHED.values()))
    for procedure in sorted(found, key=away.__getitem__):
        values = " ".join(f"{value:6.2f}" for value in found[procedure].values())
        lines.append(f"{procedure.down:9} {procedure.up:9} {procedure.void:10} {values} {away[procedure]:8.2f}")
    return "\n".join(lines)


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("--voc-dir", type=Path, default=voc_labels.FOLDER, help="labels in VOC's layout (%(default)s)")
    parser.add_argument("--split", default="seg11valid", help="which list of labels (default: seg11valid)")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every Nth label alone")
    parser.add_argument("--down", choices=DOWN, default=Procedure.down)
    parser.add_argument("--up", choices=UP, default=Procedure.up)
    parser.add_argument("--void", choices=VOIDS, default=Procedure.void)
    parser.add_argument("--all", action="store_true", help="every combination of --down, --up and --void")
    options = parser.parse_args(arguments)
    procedures = [Procedure(options.down, options.up, options.void)]
    if options.all:
        procedures = [Procedure(*choice) for choice in itertools.product(DOWN, UP, VOIDS)]
    print(table(bounds(options.voc_dir, options.split, procedures, options.step)))
    return 0
