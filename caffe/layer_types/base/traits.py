"""Traits: what others may rely on of a layer class.

The defaults hold for any layer whatever: who adds a layer and says nothing gets right results, if not the fastest.
tests/test_traits.py compares what the classes say with what their layers do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch


class Precision(Enum):
    """Which type the bottoms have when a TorchLayer's `compute` gets them."""

    SINGLE = "float32"
    CHOSEN = "what the user chose by caffe.set_precision; parameters come as float32"
    ANY = "whatever the layers before made of them; the tops have the same"


class Handling(Enum):
    """What forward does with its bottoms' numbers."""

    COMPUTED = "tops are computed from them"
    MOVED = "tops are copies of some of them"
    UNTOUCHED = "tops are the same memory, of the bottoms or of a parameter, or keep what they held"


@dataclass(frozen=True)
class ReceptiveField:
    """What a position of the top sees of the bottom along one axis: `extent` pixels from stride · position − pad on."""

    extent: int = 1
    stride: int = 1
    pad: int = 0


@dataclass(frozen=True)
class Traits:
    """Facts about a class of layers; where settings decide, `setup` gives the layer its own."""

    needs_tops: bool = True
    """Tops must stay as forward left them: backward reads them, or their memory is a bottom's or the layer's own.

    If not, a layer in place that follows may write over them.
    """
    needs_record: bool = True
    """Backward needs more than what the blobs hold: forward keeps it."""
    replaces_tops: bool = False
    """Forward makes new tensors of its tops, whatever they held: that memory may serve for other things before."""
    replayable: bool = False
    """Computes from blobs alone: Python neither looks at values nor carries anything from one pass to the next.

    The passes of a net whose layers all are may be recorded (caffe/plan/replay.py).
    """
    precision: Precision = Precision.SINGLE
    handling: Handling = Handling.COMPUTED
    fed_by_user: bool = False
    """Its tops are the inputs of the net."""
    weighted: bool = False
    """Tops are bottoms times the first parameter; all other parameters are added."""
    multiplies_bottoms: bool = False
    """Tops are products of the bottoms, perhaps with a parameter added."""
    row_by_row: bool = False
    """Of maps (N, C, H, W), each row of the tops is computed from the same row of every bottom, and from nothing else.
    """
    zero_at_zero: bool = False
    """Tops are zero where all bottoms are."""
    flat_at_zero: bool = False
    """Bottoms that are zero get a gradient of zero, whatever the tops' gradient is."""
    receptive_field: tuple[ReceptiveField, ReceptiveField] | None = None
    """Along rows and columns, where the layer has one bottom, (N, C, H, W), and one top; None: it does not say.

    All positions compute the same of what they see, and pixels beyond the map count as zeros or not at all.
    """
    is_conv2d: bool = False
    """One call of ops.conv2d makes the one top of the one bottom, wherever the kernel fits into that and its pad."""
    over_bottom: Callable[[torch.Tensor], torch.Tensor] | None = None
    """What the layer computes of its one bottom, written over it; for layers whose backward needs their top alone."""
