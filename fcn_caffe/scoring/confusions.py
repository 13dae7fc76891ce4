"""A net run over labelled images, each once, with its pixels counted: true class × predicted class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe.pictures import drawing, outputs
from fcn_caffe.progress import progress
from fcn_caffe.scoring import metrics

ABSENT_EXCLUDED = ("siftflow_layers",)
"""Data layers of data sets whose published scores leave out classes that the truth has nowhere (CVPR, footnote 10)."""


def confusions(
    net: Any,
    heads: dict[str, str],
    images: int | None = None,
    save_dir: Path | None = None,
    after_forward: Callable[[int], None] | None = None,
    colours: dict[str, np.ndarray] | None = None,
    refine: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Run the images of the net's data layer through it, once each, and count pixels: true class × predicted class.

    heads: the blobs of labels, and for each the blob of scores; the result has the same keys.
    images: how many to take, where the data layer cannot tell how many it has.
    save_dir: where predicted labels go, NAME.png (of several heads LABEL_NAME.png). Raises ValueError, before anything
        is computed, if there are files of that name that no tool has written.
    colours: of the classes, 256×3, for each blob of labels (default: VOC's).
    refine: makes the scores of an item of the batch, classes×height×width, those that are counted.
    after_forward: called with the number of images that the net's blobs hold, each time.
    """
    unknown = [blob for pair in heads.items() for blob in pair if blob not in net.blobs]
    if unknown:
        raise ValueError(f"score: the net has no blob {', '.join(unknown)}; there are {', '.join(net.blobs)}.")
    names = getattr(net.layers[0], "indices", None)
    images = len(names) if names else images
    if not images:
        raise ValueError("score: the data layer does not tell how many images it has: give --images")
    prefixes = {label: f"{label}_" if len(heads) > 1 else "" for label in heads}
    if save_dir is not None:
        files = [save_dir / f"{prefix}{name}.png" for name in names or () for prefix in prefixes.values()]
        outputs.check(files, [], "Name another folder with --save-dir.")
    looked_at = [*heads, *heads.values(), *net.top_names[net._layer_names[0]]]
    _rewind(net.layers[0])
    hists = {label: np.zeros((net.blobs[score].shape[1],) * 2, np.int64) for label, score in heads.items()}
    done = 0
    with progress("scoring", "images", images) as advance:
        while done < images:
            net.forward(blobs=looked_at)
            batch = min(net.blobs[next(iter(heads))].shape[0], images - done)
            if after_forward:
                after_forward(batch)
            for item in range(batch):
                name = names[done + item] if names else f"{done + item:06d}"
                for label, score in heads.items():
                    scores = net.blobs[score].data[item]
                    predicted = (refine(scores, item) if refine else scores).argmax(0)
                    truth = net.blobs[label].data[item].reshape(predicted.shape).astype(np.int64)
                    hists[label] += metrics.confusion(truth, predicted, len(hists[label]))
                    if save_dir is not None:
                        file = save_dir / f"{prefixes[label]}{name}.png"
                        drawing.save_labels(predicted, file, (colours or {}).get(label))
                advance()
            done += batch
    return hists


def _rewind(layer: Any) -> None:
    """Let a data layer begin with its first image, whatever it gave before."""
    if hasattr(layer, "set_state"):
        layer.set_state({**layer.state(), "position": 0})


class MeanLoss:
    """Adds up the losses of scored images; `of` a label is the mean over them, None where it has no loss."""

    def __init__(self, net: Any, losses: dict[str, str]):
        unknown = [blob for blob in losses.values() if blob not in net.blobs]
        if unknown:
            raise ValueError(f"score: the net has no loss {', '.join(unknown)}; there are {', '.join(net.blobs)}.")
        self.net, self.losses, self.images = net, losses, 0
        self.sums = dict.fromkeys(losses, 0.0)

    def __call__(self, images: int) -> None:
        self.images += images
        for label, blob in self.losses.items():
            self.sums[label] += images * float(self.net.blobs[blob].data)

    def of(self, label: str) -> float | None:
        return self.sums[label] / max(self.images, 1) if label in self.sums else None
