"""Traits: facts about a layer class that the plan, the solver and the tools rely on.

The defaults are true of every layer: a layer that declares nothing is computed correctly, if not as fast as it could
be. tests/test_traits.py compares the traits of each class with what its layers do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch


class Precision(Enum):
    """The operand dtype: the dtype of the bottoms that a TorchLayer's `compute` gets."""

    SINGLE = "float32"
    CHOSEN = "the one that caffe.set_precision chose; parameters are float32"
    ANY = "that of the layers before; the tops have the same"


class Handling(Enum):
    """What forward does with the values of its bottoms."""

    COMPUTED = "tops are computed from them"
    MOVED = "tops are copies of some of them"
    UNTOUCHED = "tops share the memory of the bottoms or of a parameter, or keep the values that they had"


@dataclass(frozen=True)
class ReceptiveField:
    """Along one axis, position p of the top sees the `extent` pixels of the bottom from stride · p − pad on."""

    extent: int = 1
    stride: int = 1
    pad: int = 0


@dataclass(frozen=True)
class Traits:
    """Facts about a layer class; where they depend on settings, `setup` gives the layer traits of its own."""

    needs_tops: bool = True
    """Tops must keep their values after forward: backward reads them, or they share memory with a bottom or the layer.

    If false, an in-place layer after this one may overwrite them.
    """
    needs_record: bool = True
    """Backward needs more than the values of the blobs, which forward must record."""
    replaces_tops: bool = False
    """Forward makes new tensors for its tops, so that the memory of the old ones may be reused before it runs."""
    replayable: bool = False
    """Results depend on blobs alone: Python reads no values and carries no state from one pass to the next.

    The passes of a net may be recorded as CUDA graphs if all of its layers are replayable (caffe/plan/replay.py).
    """
    precision: Precision = Precision.SINGLE
    handling: Handling = Handling.COMPUTED
    fed_by_user: bool = False
    """Its tops are the inputs of the net, which the user fills."""
    weighted: bool = False
    """Tops are a product of the bottoms and the first parameter, plus the other parameters."""
    multiplies_bottoms: bool = False
    """Tops are products of the bottoms, perhaps plus a parameter."""
    row_by_row: bool = False
    """For maps (N, C, H, W), row r of the tops depends on row r of the bottoms alone."""
    zero_at_zero: bool = False
    """Tops are zero wherever all bottoms are zero."""
    flat_at_zero: bool = False
    """Where a bottom is zero its gradient is zero, whatever the gradient of the tops."""
    receptive_field: tuple[ReceptiveField, ReceptiveField] | None = None
    """The receptive field along rows and columns of a layer with one bottom (N, C, H, W) and one top; None: unknown.

    All positions apply the same function to what they see; pixels beyond the map count as zero, or not at all.
    """
    is_conv2d: bool = False
    """The layer is one call of ops.conv2d, from one bottom to one top, if the kernel fits into the padded bottom."""
    random: bool = False
    """Forward draws numbers, so that it gives other tops each time."""
    over_bottom: Callable[[torch.Tensor], torch.Tensor] | None = None
    """The layer's function of its one bottom, computed in place; only for layers whose backward needs the top alone."""
