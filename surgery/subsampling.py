"""A wide layer made smaller: every so-manieth filter of it, and every so-manieth row and column of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcn_caffe.surgery.copy_report import dims


def subsample(new_net: Any, net: Any, layers: Sequence[str]) -> None:
    """Fill convolutions that follow one another, such as fc6 and fc7, from wider and larger ones of the same names.

    Of k rows of a kernel a new one of n keeps n at equal distances, the first and the last among them (7 to 3: 0, 3 and
    6), and the same columns; of a layer's outputs it keeps every so-manieth, beginning with the first, and of the next
    layer's inputs the same. Nothing is scaled. The first layer's inputs are as they were. (Chen, Papandreou and others,
    ICLR 2015, section 3.1, give VGG16's fc6 a kernel of 4×4 or 3×3 in this way, and 1,024 outputs; which of them are
    kept, they do not say.)

    Raises ValueError, before anything is changed, that names the layer whose parameters cannot be taken so.
    """
    kept, moved = None, []
    for layer in layers:
        (old, old_bias), (new, new_bias) = ([blob.data for blob in each.params[layer]] for each in (net, new_net))
        channels = np.arange(old.shape[1]) if kept is None else kept
        outputs = _every(old.shape[0], new.shape[0])
        rows, columns = (_spread(old.shape[axis], new.shape[axis]) for axis in (2, 3))
        if outputs is None or rows is None or columns is None or len(channels) != new.shape[1]:
            raise ValueError(
                f"subsample: layer '{layer}': the weights are {dims(old.shape)}, the new net wants {dims(new.shape)}, "
                f"{len(channels)} of whose inputs are there; expected as many inputs, at most as many rows and "
                "columns, and outputs that divide the old ones. Correct the new layer's num_output or kernel_size."
            )
        moved.append((new, old[np.ix_(outputs, channels, rows, columns)]))
        moved.append((new_bias, old_bias.reshape(-1)[outputs]))
        kept = outputs
    for target, values in moved:
        target[...] = values


def _every(old: int, new: int) -> np.ndarray | None:
    """Of `old` things the first of each share; None where they do not divide."""
    return np.arange(0, old, old // new) if new and old % new == 0 else None


def _spread(old: int, new: int) -> np.ndarray | None:
    """`new` of `old` positions, at distances as equal as can be."""
    if not 0 < new <= old:
        return None
    return np.linspace(0, old - 1, new).round().astype(int) if new > 1 else np.array([old // 2])
