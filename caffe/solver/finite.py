"""Checks for NaN and infinity in a training, which spread to every weight and never go away.

A softmax can hide weights that are NaN behind a loss of 87.33, so the weights are checked, too, before each snapshot.
"""

import math
from collections.abc import Sequence

import torch

from caffe.blob import Blob
from caffe.net import Net

_LISTED = 6


def is_finite(values: torch.Tensor) -> bool:
    """Whether no value is NaN or infinite."""
    return math.isfinite(float(values.sum())) or bool(torch.isfinite(values).all())


def loss_message(loss: float, iteration: int, net: Net, last_snapshot: str | None) -> str:
    """A description of a loss that is not finite, from the blobs after the pass."""
    blobs = [name for name, blob in net.blobs.items() if not is_finite(blob.tensor)]
    weights = _weights(net)
    inputs = {name for node in net.nodes if not node.bottom_ids for name in net.top_names[node.layer.name]}
    if blobs and blobs[0] in inputs and not weights:
        remedy = f"Blob '{blobs[0]}' comes so from its source: correct the data."
    else:
        remedy = (
            f"{_last(last_snapshot)} Go on from there, or start again, with a smaller base_lr (an unnormalised loss "
            "wants about 1e-10), or with clip_gradients."
        )
    return (
        f"solver: iteration {iteration}: the loss is {loss:g}. Not finite are {_listed('the blobs', blobs)} and "
        f"{_listed('the parameters', weights)}. {remedy} {_TO_GO_ON}"
    )


def weights_message(iteration: int, net: Net, history: Sequence[Blob], last_snapshot: str | None) -> str | None:
    """What is wrong with the parameters and the history; None if all of them are finite."""
    weights = _weights(net)
    moments = [str(index) for index, blob in enumerate(history) if not is_finite(blob.tensor)]
    if not weights and not moments:
        return None
    return (
        f"solver: iteration {iteration}: not finite are {_listed('the parameters', weights)} and "
        f"{_listed('the blobs of the history', moments)}: no snapshot is made of them. {_last(last_snapshot)} Go on "
        f"from there with a smaller base_lr, or with clip_gradients. {_TO_GO_ON}"
    )


_TO_GO_ON = "To go on all the same: --allow-nan (in Python: solver.allow_nan = True)."


def _weights(net: Net) -> list[str]:
    return [
        f"{layer}[{index}]"
        for layer, blobs in net.params.items()
        for index, blob in enumerate(blobs)
        if not is_finite(blob.tensor)
    ]


def _last(path: str | None) -> str:
    if path is None:
        return "There is no snapshot of this run."
    return f"The last snapshot, '{path}', is finite."


def _listed(what: str, names: Sequence[str]) -> str:
    if not names:
        return f"none of {what}"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what} {', '.join(names[:_LISTED])}{more}"
