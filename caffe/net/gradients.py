"""Which layers run backward, and which of their bottoms and parameters get a gradient.

The rules of Net::Init (src/caffe/net.cpp), as a pure function on facts about the layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LayerFacts:
    """What the plan needs to know of a layer; blobs are numbers, an in-place top has its bottom's number."""

    bottoms: Sequence[int]
    tops: Sequence[int]
    learns: Sequence[bool]
    """For each parameter: lr_mult is not 0."""
    contributes_loss: bool
    """Some top has a loss weight."""
    forced_bottoms: Sequence[bool]
    """For each bottom: force_backward may ask for its gradient."""
    propagate_down: Sequence[bool] = ()
    """The layer's own setting for each bottom; empty: none."""


@dataclass(frozen=True)
class LayerPlan:
    runs: bool
    bottoms: list[bool]
    params: list[bool]


def plan(layers: Sequence[LayerFacts], *, force_backward: bool = False) -> list[LayerPlan]:
    """One LayerPlan for each layer, in the same order."""
    runs, bottoms = _reached_from_parameters(layers)
    _only_what_leads_to_a_loss(layers, runs, bottoms)
    params = [list(layer.learns) for layer in layers]
    if force_backward:
        for index, layer in enumerate(layers):
            runs[index] = True
            bottoms[index] = [a or b for a, b in zip(bottoms[index], layer.forced_bottoms, strict=True)]
            params[index] = [True] * len(params[index])
    return [LayerPlan(*facts) for facts in zip(runs, bottoms, params, strict=True)]


def _reached_from_parameters(layers: Sequence[LayerFacts]) -> tuple[list[bool], list[list[bool]]]:
    """Forwards: a blob needs a gradient when something that learns lies above it."""
    runs, bottoms = [], []
    needy_blobs: set[int] = set()
    for layer in layers:
        above = [blob in needy_blobs for blob in layer.bottoms]
        runs.append(any(above) or any(layer.learns))
        bottoms.append(list(layer.propagate_down) or above)
        if runs[-1]:
            needy_blobs.update(layer.tops)
    return runs, bottoms


def _only_what_leads_to_a_loss(layers: Sequence[LayerFacts], runs: list[bool], bottoms: list[list[bool]]) -> None:
    """Backwards: drop what no loss lies below, or what `propagate_down: false` cuts off."""
    under_loss: set[int] = set()
    cut_off: set[int] = set()
    for index in reversed(range(len(layers))):
        layer = layers[index]
        contributes = layer.contributes_loss or any(blob in under_loss for blob in layer.tops)
        if runs[index] and all(blob in cut_off for blob in layer.tops):
            runs[index] = False
            bottoms[index] = [False] * len(layer.bottoms)
        runs[index] = runs[index] and contributes
        if contributes:
            under_loss.update(layer.bottoms)
        else:
            bottoms[index] = [False] * len(layer.bottoms)
        cut_off.update(blob for blob, wanted in zip(layer.bottoms, bottoms[index], strict=True) if not wanted)
