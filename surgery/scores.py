"""More classes for a trained score layer."""

from __future__ import annotations

from typing import Any

from fcn_caffe.surgery.copy_report import dims


def expand_score(new_net: Any, new_layer: str, net: Any, layer: str) -> None:
    """Copy a score layer of k classes into one of k' ≥ k classes: the first k are the old ones, the others keep what
    they have.

    Raises ValueError, before anything is copied, if the new layer has fewer classes, or other inputs per class.
    """
    pairs = []
    for i in range(len(net.params[layer])):
        old, new = net.params[layer][i].data, new_net.params[new_layer][i].data
        if i > 0:  # biases: old files have them as 1×1×1×k
            old, new = old.reshape(-1), new.reshape(-1)
        if old.shape[0] > new.shape[0] or old.shape[1:] != new.shape[1:]:
            raise ValueError(
                f"expand_score: parameter {i} of layer '{layer}' is {dims(old.shape)}, and that of the new layer "
                f"'{new_layer}' {dims(new.shape)}; expected at least as many classes, all else equal. "
                "Correct the new layer's num_output or its bottom."
            )
        pairs.append((old, new))
    for old, new in pairs:
        new[: len(old)] = old
