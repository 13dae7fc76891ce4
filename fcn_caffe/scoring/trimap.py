"""Mean IU of the pixels that are no farther from a boundary of objects than a width, for each of several widths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.labels import VOID, LabelMap, from_zero
from fcn_caffe.datasets import layouts
from fcn_caffe.progress import progress
from fcn_caffe.scoring import metrics
from fcn_caffe.whole_files import open_atomic


def distances(truth: np.ndarray, boundary: str) -> np.ndarray:
    """How far each pixel of a label map is from the nearest boundary, in pixels, height×width; infinite without one.

    boundary: "void": distance to the nearest void pixel. "classes": a pixel that touches one of another class (not
    void) is at 1.
    """
    if boundary == "void":
        on = truth == VOID
    else:
        on = np.zeros(truth.shape, bool)
        for first, second in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
            differ = (truth[first] != truth[second]) & (truth[first] != VOID) & (truth[second] != VOID)
            on[first] |= differ
            on[second] |= differ
    if not on.any():
        return np.full(truth.shape, np.inf)
    return ndimage.distance_transform_edt(~on) + (boundary == "classes")


class TrimapBands:
    """Confusion matrices inside bands of several widths, and of whole images (the last)."""

    def __init__(self, widths: Sequence[int], n_classes: int):
        self.limits = [*widths, np.inf]
        self.hists = np.zeros((len(self.limits), n_classes, n_classes), np.int64)

    def add(self, far: np.ndarray, truth: np.ndarray, predictions: np.ndarray) -> None:
        """Count one image: distances from a boundary and two label maps, all height×width."""
        for hist, limit in zip(self.hists, self.limits):
            inside = far <= limit
            hist += metrics.confusion(truth[inside], predictions[inside], len(hist))


def count(
    folders: Sequence[Path],
    voc_dir: Path,
    split: str,
    widths: Sequence[int],
    n_classes: int,
    boundary: str,
    kept: Sequence[int] | None = None,
) -> list[TrimapBands]:
    """The bands of each folder of predictions (NAME.png), over the images of a split.

    kept: the classes, out of 0..n_classes-1, that the predictions have as 0, 1, 2, …; others do not count.
    Raises FileNotFoundError for a missing prediction or label, and ValueError where sizes differ or no label has a
    boundary.
    """
    names = layouts.voc_names(voc_dir, split)
    label_map = LabelMap(from_zero(n_classes), n_classes, kept, said_in="--classes")
    counted, bounded = [TrimapBands(widths, len(kept or range(n_classes))) for _ in folders], False
    with progress("trimap", "images", len(names)) as advance:
        for name in names:
            path = files.find_label(str(voc_dir / "SegmentationClass" / name))
            truth = files.read_label(path)
            classes = label_map(truth, path)
            far = distances(truth, boundary)
            bounded |= bool(np.isfinite(far).any())
            for bands, folder in zip(counted, folders):
                predicted = files.read_label(str(folder / f"{name}.png"))
                if predicted.shape != truth.shape:
                    raise ValueError(
                        f"'{folder / name}.png' is {predicted.shape[1]}×{predicted.shape[0]}, expected the label's "
                        f"{truth.shape[1]}×{truth.shape[0]}. Predict at the images' own size."
                    )
                bands.add(far, classes, predicted)
            advance()
    if not bounded:
        raise ValueError(
            f"no label of split {split} has a boundary ({boundary}), expected some. "
            + ("Labels without void: give --boundary classes." if boundary == "void" else "")
        )
    return counted


def table(counted: Sequence[TrimapBands], titles: Sequence[str]) -> str:
    """Mean IU for each width (rows) and folder of predictions (columns), and of whole images."""
    columns = [[metrics.scores(hist).mean_iu for hist in bands.hists] for bands in counted]
    width = max(8, *map(len, titles))
    lines = ["  width " + "".join(f"  {title:>{width}}" for title in titles)]
    for row, limit in enumerate(counted[0].limits):
        title = f"{limit:7.0f}" if np.isfinite(limit) else "  image"
        lines.append(f"{title} " + "".join(f"  {column[row]:{width}.4f}" for column in columns))
    return "\n".join(lines)


def plot(counted: Sequence[TrimapBands], titles: Sequence[str], path: Path) -> None:
    """Mean IU over the width of the band, a line for each folder, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="width of the band (pixels)", ylabel="mean IU")
    for bands, title in zip(counted, titles):
        axes.plot(bands.limits[:-1], [metrics.scores(hist).mean_iu for hist in bands.hists[:-1]], "o-", label=title)
    axes.grid(alpha=0.3)
    axes.legend()
    with open_atomic(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower())
