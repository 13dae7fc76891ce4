"""Nets that predict depth: an FCN of one score, the logarithm of the depth in metres.

The loss is the scale-invariant one of Eigen, Puhrsch and Fergus (NIPS 2014), a Python layer (data_layers/
depth_layers.py), so that these nets run in any Caffe. Pixels without depth are void.
"""

from __future__ import annotations

from dataclasses import dataclass

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.fcn import Head
from fcn_caffe.net_spec.nets import Variant


@dataclass(frozen=True)
class Depth(Variant):
    """A net that predicts depth: an FCN in all but its loss."""

    def put_loss(self, n: NetSpec, score: Top, head: Head) -> None:
        """Puts the scale-invariant loss into `n`."""
        n[head.loss] = L.Python(
            score, n[head.label], module="depth_layers", layer="ScaleInvariantLossLayer", loss_weight=1
        )
