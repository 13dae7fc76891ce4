"""A net run over labelled images, each once, with its pixels counted: true class × predicted class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np

from fcn_caffe.pictures import drawing, outputs
from fcn_caffe.progress import progress
from fcn_caffe.scoring import by_bands, metrics
from fcn_caffe.sharing import ALONE, Share

ABSENT_EXCLUDED = ("siftflow_layers",)
"""Data layers of data sets whose published scores leave out classes that the truth has nowhere (CVPR, footnote 10)."""


Refine = Callable[[np.ndarray, int], np.ndarray]
"""Makes the scores of an item of the batch, classes×height×width, those that are counted."""
Counted = tuple[str, Optional[np.ndarray], np.ndarray]
"""A blob of labels, an image's predicted labels, height×width (None: not kept), and its confusion matrix."""


def _tell_nobody(*_: Any) -> None:
    pass


def confusions(
    net: Any,
    heads: dict[str, str],
    images: int | None = None,
    save_dir: Path | None = None,
    after_forward: Optional[Callable[[int], None]] = None,
    colours: dict[str, np.ndarray] | None = None,
    refine: Refine | None = None,
    share: Share = ALONE,
    counted: Callable[[str, str, np.ndarray], None] = _tell_nobody,
) -> dict[str, np.ndarray]:
    """Run the images of the net's data layer through it, once each, and count pixels: true class × predicted class.

    heads: the blobs of labels, and for each the blob of scores; the result has the same keys.
    images: how many to take, where the layer cannot tell. save_dir: where predicted labels go, NAME.png or
        LABEL_NAME.png. Raises ValueError, first of all, for a file of that name that no tool wrote.
    colours: of the classes, 256×3, for each blob of labels (default: VOC's). share: of several processes, this one's.
    after_forward: called with the number of images that the net's blobs hold, each time. counted: with the blob of
        labels, the name and the matrix of each image.

    Large images are counted in bands of rows (by_bands.py), unless `refine` or `after_forward` want them as a whole.
    """
    names = _names(net, heads, images)
    files = {} if save_dir is None else _files(save_dir, names, heads)
    names = _own(net.layers[0], names, share)
    hists = {label: np.zeros((net.blobs[score].shape[1],) * 2, np.int64) for label, score in heads.items()}
    whole = refine is not None or after_forward is not None
    large = set() if whole else by_bands.large(net, heads, names)
    with by_bands.without(net.layers[0], large), progress("scoring", "images", len(names)) as advance:
        if set(names) > large:
            _rewind(net.layers[0])
        for name, found in _passes(net, heads, names, large, refine, after_forward, keep=bool(files)):
            for label, predicted, hist in found:
                hists[label] += hist
                counted(label, name, hist)
                if files and predicted is not None:
                    drawing.save_labels(predicted, files[label, name], (colours or {}).get(label))
            advance()
    return hists


def _passes(
    net: Any,
    heads: dict[str, str],
    names: list[str],
    large: set[str],
    refine: Refine | None,
    after_forward: Optional[Callable[[int], None]],
    *,
    keep: bool,
) -> Iterator[tuple[str, Iterable[Counted]]]:
    """Each image's name and what was counted of it, pass after pass; keep: predicted labels of `large` images, too."""
    looked_at, left = [*heads, *heads.values(), *net.top_names[net._layer_names[0]]], names
    while left:
        if left[0] in large:
            batch, left = _taken(left, 1)
            yield batch[0], by_bands.counted(net, heads, batch[0], keep=keep)
        else:
            net.forward(blobs=looked_at)
            batch, left = _taken(left, net.blobs[next(iter(heads))].shape[0])
            if after_forward is not None:
                after_forward(len(batch))
            yield from ((name, _counted(net, heads, item, refine)) for item, name in enumerate(batch))


def _predicted(net: Any, score: str, item: int, refine: Refine | None) -> np.ndarray:
    scores = net.blobs[score].data[item]
    return (refine(scores, item) if refine else scores).argmax(0)


def _counted(
    net: Any, heads: dict[str, str], item: int, refine: Refine | None
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each blob of labels the predicted ones of an item of the batch, height×width, and their matrix."""
    for label, score in heads.items():
        predicted = _predicted(net, score, item, refine)
        yield label, predicted, _confusion(net.blobs[label].data[item], predicted, net.blobs[score].shape[1])


def _taken(names: list[str], count: int) -> tuple[list[str], list[str]]:
    return names[:count], names[count:]


def _confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """The pixels of one image, true class × predicted class."""
    return metrics.confusion(truth.reshape(predicted.shape).astype(np.int64), predicted, n_classes)


def _names(net: Any, heads: dict[str, str], images: int | None) -> list[str]:
    """What the images are called; numbers where the data layer does not tell. Raises ValueError for blobs that the net
    has not, and for images that nobody has counted."""
    unknown = [blob for pair in heads.items() for blob in pair if blob not in net.blobs]
    if unknown:
        raise ValueError(
            f"the net has no blob {', '.join(unknown)}; there are {', '.join(net.blobs)}. Name one of these."
        )
    names = getattr(net.layers[0], "indices", None)
    if not (names or images):
        raise ValueError("the data layer does not tell how many images it has: give --images")
    return list(names) if names else [f"{number:06d}" for number in range(images or 0)]


def _own(layer: Any, names: list[str], share: Share) -> list[str]:
    """The images that are this process's, to which the data layer is narrowed. Raises ValueError for one that has no
    list of images."""
    if share.count == 1:
        return names
    if not hasattr(layer, "indices"):
        raise ValueError(
            f"a data layer of type {getattr(layer, 'type', type(layer).__name__)} has no list of images to "
            "share out among processes. Score in one process, without torchrun."
        )
    own = list(share.own(names))
    layer.indices = list(share.own(layer.indices))
    return own


def _files(folder: Path, names: list[str], heads: dict[str, str]) -> dict[tuple[str, str], Path]:
    """Where predicted labels go, by the blob of the true ones and the image. Raises ValueError for files that are there
    and no tool's."""
    prefixes = {label: f"{label}_" if len(heads) > 1 else "" for label in heads}
    files = [((label, name), folder / f"{prefixes[label]}{name}.png") for name in names for label in heads]
    outputs.check([path for _, path in files], [], "Name another folder with --save-dir.")
    return dict(files)


def _rewind(layer: Any) -> None:
    """Let a data layer begin with its first image, whatever it gave before."""
    if hasattr(layer, "set_state"):
        layer.set_state({**layer.state(), "position": 0})


class MeanLoss:
    """Adds up the losses of scored images; `of` a label is the mean over them, None where it has no loss."""

    def __init__(self, net: Any, losses: dict[str, str]):
        unknown = [blob for blob in losses.values() if blob not in net.blobs]
        if unknown:
            raise ValueError(
                f"the net has no loss {', '.join(unknown)}; there are {', '.join(net.blobs)}. Name one of these."
            )
        self.net, self.losses, self.images = net, losses, 0
        self.sums = dict.fromkeys(losses, 0.0)

    def __call__(self, images: int) -> None:
        self.images += images
        for label, blob in self.losses.items():
            self.sums[label] += images * float(self.net.blobs[blob].data)

    def add_up(self, share: Share) -> None:
        """Count the images of all processes."""
        labels = list(self.sums)
        total = share.summed(np.array([self.images, *(self.sums[label] for label in labels)], np.float64))
        self.images, self.sums = int(total[0]), dict(zip(labels, total[1:].tolist()))

    def of(self, label: str) -> float | None:
        """The mean loss of a label over the images so far; None if it has no loss."""
        return self.sums[label] / max(self.images, 1) if label in self.sums else None
