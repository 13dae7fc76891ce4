"""Class labels beside scores: how many there must be, and which values they may have."""

import math

import torch

from caffe.errors import LabelError, ShapeError
from caffe.layer_types.base import NativeLayer, Shape
from caffe.layer_types.helpers.axes import canonical
from caffe.ops import checks
from caffe.shapes import shape_text

SHOWN = 8


def places(scores: Shape, labels: Shape, axis: int, layer: NativeLayer) -> tuple[int, int, int]:
    """The scores' shape around the class axis: (outer, classes, inner). ShapeError unless labels are outer × inner."""
    axis = canonical(axis, scores, layer)
    outer, classes, inner = math.prod(scores[:axis]), scores[axis], math.prod(scores[axis + 1 :])
    if outer * inner != math.prod(labels):
        raise ShapeError(
            f"{layer}: scores {shape_text(scores)} and labels {shape_text(labels)}. Number of labels must match "
            "number of predictions: with "
            f"classes on axis {axis}, {outer * inner} labels, not {math.prod(labels)}. Crop or reshape one of them.",
            found=labels,
            expected=(*scores[:axis], *scores[axis + 1 :]),
            remedy="Crop or reshape one of them.",
        )
    return outer, classes, inner


def indices(
    labels: torch.Tensor, classes: int, ignore_label: int | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Labels as int64 indices of classes, and where they count (None: everywhere).

    Those that do not count, or that `check_labels` is yet to refuse, have the index of some class.
    """
    index = labels.detach().long()
    counted = None if ignore_label is None else index != ignore_label
    return (index if counted is None else index.where(counted, 0)).clamp(0, classes - 1), counted


def check_labels(labels: torch.Tensor, classes: int, ignore_label: int | None, layer: NativeLayer) -> None:
    """Raises LabelError unless all labels are whole numbers in 0 … classes − 1, or the ignore_label."""
    allowed = (labels >= 0) & (labels < classes) & (labels == labels.trunc())
    if ignore_label is not None:
        allowed |= labels == ignore_label
    fine = allowed.all()
    if checks.defer(fine, lambda: check_labels(labels, classes, ignore_label, layer)) or bool(fine):
        return
    wrong = labels[~allowed]
    values = wrong.unique().tolist()
    shown = ", ".join(f"{value:g}" for value in values[:SHOWN]) + (", …" if len(values) > SHOWN else "")
    ignored = "" if ignore_label is None else f" or {ignore_label} (the ignore_label)"
    names = layer.layer_param.bottom
    setting = "set ignore_label" if ignore_label is None else "change ignore_label"
    remedy = f"Correct the labels, {setting}, or give '{names[0]}' as many classes."
    items = (~allowed).nonzero()[:, 0].unique().tolist() if labels.dim() else []
    raise LabelError(
        f"{layer}: {len(wrong)} of {labels.numel()} labels in '{names[1]}' have the values {shown}, expected whole "
        f"numbers 0 … {classes - 1}{ignored}. {remedy}",
        names[1],
        items,
        layer=layer.name,
        found=values,
        expected=range(classes),
        remedy=remedy,
    )
