"""Losses, and what is measured beside them."""

from __future__ import annotations

import math

from tests.parity.draft import Draft


def softmax_loss(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    label = d.input((shape[0], *shape[2:]), f"labels({shape[1]})")
    ignore = "ignore_label: 0" if d.chance(0.3) else ""
    normal = d.choose(
        ["", "normalize: false", *(f"normalization: {n}" for n in ("FULL", "VALID", "BATCH_SIZE", "NONE"))]
    )
    _loss(d, "SoftmaxWithLoss", [bottom, label], f"loss_param {{ {ignore} {normal} }}")
    if not d.forced and d.chance(0.5):
        d.add("Accuracy", [bottom, label], [()], dead=True)


def pair_loss(d: Draft) -> None:
    type = d.choose(["EuclideanLoss", "SigmoidCrossEntropyLoss", "HingeLoss"])
    bottom = d.pick(lambda shape: 2 <= len(shape) <= 4)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    if type == "HingeLoss":
        classes = math.prod(shape[1:])
        _loss(
            d,
            type,
            [bottom, d.input((shape[0],), f"labels({classes})")],
            d.choose(["", "hinge_loss_param { norm: L2 }"]),
        )
    else:
        _loss(d, type, [bottom, d.input(shape, "normal" if type == "EuclideanLoss" else "uniform(0,1)")])


def weighted_top(d: Draft) -> None:
    bottom = d.pick()
    d.add(
        "Power", [bottom], [d.shapes[bottom]], f"power_param {{ power: 2 }} loss_weight: {d.number(-1, 1)}", dead=True
    )
    d.has_loss = True


def contrastive_loss(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 2)
    if bottom is not None:
        other = d.pick(lambda shape: shape == d.shapes[bottom])
        legacy = d.choose(["", "legacy_version: true"])
        similar = d.input((d.shapes[bottom][0],), "binary")
        _loss(d, "ContrastiveLoss", [bottom, other, similar], f"contrastive_loss_param {{ margin: 2 {legacy} }}")


def probability_loss(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) == 2)
    if bottom is None:
        return
    n, classes = d.shapes[bottom]
    (probabilities,) = d.add("Softmax", [bottom], [(n, classes)])
    label = d.input((n,), f"labels({classes})")
    if d.chance(0.5):
        _loss(d, "MultinomialLogisticLoss", [probabilities, label])
    elif not d.forced:
        _loss(d, "InfogainLoss", [bottom, label, d.input((1, 1, classes, classes), "uniform(0,1)")])


def _loss(d: Draft, type: str, bottoms: list[str], body: str = "") -> None:
    weight = f"loss_weight: {d.number(0.1, 3)}" if d.chance(0.4) else ""
    d.add(type, bottoms, [()], f"{body} {weight}", dead=True, loss=True)
    d.has_loss = True
