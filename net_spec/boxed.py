"""Nets that are trained on labels made from boxes, and scored by masks."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_caffe.net_spec.nets import Variant


@dataclass(frozen=True)
class Boxed(Variant):
    """An FCN whose training labels are made of boxes before it learns (fcn_caffe/boxes).

    kind: how: `rectangles`, the boxes filled; `crf`, what a dense CRF finds in them; `chosen`, the same beginning with
    the scores of the net that it starts from. The data set's training split says where they are: `label_dir`.
    """

    kind: str = "rectangles"

    @property
    def label_dir(self) -> str:
        """The folder of the labels."""
        return str(self.data.train.params["label_dir"])
