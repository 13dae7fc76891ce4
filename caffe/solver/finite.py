"""Whether a training still computes with numbers: NaN and infinity spread to every weight, and never go away.

A softmax can hide weights that are NaN behind a loss of 87.33, so the weights are looked at, too: before each snapshot.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from caffe.solver import Solver

_LISTED = 6


def is_finite(values: torch.Tensor) -> bool:
    """Whether no value is NaN or infinite."""
    return math.isfinite(float(values.sum())) or bool(torch.isfinite(values).all())


def loss_message(solver: "Solver", loss: float) -> str:
    """What is known of a loss that is not finite, from the blobs as the pass left them."""
    net = solver.net
    blobs = [name for name, blob in net.blobs.items() if not is_finite(blob.tensor)]
    weights = _weights(solver)
    inputs = {name for node in net.nodes if not node.bottom_ids for name in net.top_names[node.layer.name]}
    if blobs and blobs[0] in inputs and not weights:
        remedy = f"Blob '{blobs[0]}' comes so from its source: correct the data."
    else:
        remedy = (
            f"{_last_snapshot(solver)} Go on from there, or start again, with a smaller base_lr (an unnormalised loss "
            "wants about 1e-10), or with clip_gradients."
        )
    return (
        f"solver: iteration {solver.iter}: the loss is {loss:g}. Not finite are {_listed('the blobs', blobs)} and "
        f"{_listed('the parameters', weights)}. {remedy} {_TO_GO_ON}"
    )


def weights_message(solver: "Solver") -> str | None:
    """What is wrong with the parameters and the history; None if all of them are finite."""
    weights = _weights(solver)
    history = [str(index) for index, blob in enumerate(solver.history) if not is_finite(blob.tensor)]
    if not weights and not history:
        return None
    return (
        f"solver: iteration {solver.iter}: not finite are {_listed('the parameters', weights)} and "
        f"{_listed('the blobs of the history', history)}: no snapshot is made of them. {_last_snapshot(solver)} Go on "
        f"from there with a smaller base_lr, or with clip_gradients. {_TO_GO_ON}"
    )


_TO_GO_ON = "To go on all the same: --allow-nan (in Python: solver.allow_nan = True)."


def _weights(solver: "Solver") -> list[str]:
    return [
        f"{layer}[{index}]"
        for layer, blobs in solver.net.params.items()
        for index, blob in enumerate(blobs)
        if not is_finite(blob.tensor)
    ]


def _last_snapshot(solver: "Solver") -> str:
    if solver.last_snapshot is None:
        return "There is no snapshot of this run."
    return f"The last snapshot, '{solver.last_snapshot}', is finite."


def _listed(what: str, names: Sequence[str]) -> str:
    if not names:
        return f"none of {what}"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{what} {', '.join(names[:_LISTED])}{more}"
