"""The initial weights of a training: those of the stage before, and bilinear kernels in every other deconvolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fcn_caffe import surgery
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.net_spec.deeplab import DeepLab
from fcn_caffe.net_spec.nets import ClassifierNet, Variant
from fcn_caffe.net_spec.tags import ClassifierStart, Tagged
from fcn_caffe.variants.build import published


def initialise(net: Any, row: Variant, rows: dict[str, Variant], weights: list[Path], allow_zero: bool = False) -> None:
    """Fill a train net. `rows` holds the variants by name.

    Raises ValueError for weights of the wrong stage: those that leave layers at zero which the stage before has; unless
    `allow_zero`.
    """
    fused = row.late and len(row.starts) > 1
    if fused and len(weights) != len(row.starts):
        raise ValueError(
            f"{row.name}: {len(weights)} weight file(s), expected one for each of {', '.join(row.starts)}, in order."
            " Give as many."
        )
    if fused:
        for start, path, suffix in zip(row.starts, weights, row.data.inputs):
            surgery.transplant(net, published(start, "deploy", str(path)), suffix)
    elif isinstance(row, DeepLab) and isinstance(ROWS.get(row.starts[0]), ClassifierNet):
        _narrow(net, row, weights[0])
    else:
        for path in weights:
            net.copy_from(str(path))
    if isinstance(row, Tagged) and row.classifier:
        _score_as_classifier(net, row, row.classifier, weights[0])
    if row.data.first and isinstance(ROWS.get(row.starts[0]), ClassifierNet):
        _widen_first_convolution(net, row, weights[0])
    if not allow_zero:
        _check_stage(net, row, rows, weights)
    surgery.interp(net, [name for name in net.params if "up" in name and not net.params[name][0].data.any()])


def _check_stage(net: Any, row: Variant, rows: dict[str, Variant], weights: list[Path]) -> None:
    suffixes = list(row.data.inputs) if row.late and len(row.starts) > 1 else [""]
    before: dict[str, str] = {}
    for start, suffix in zip(row.starts, suffixes):
        message = rows[start].net("deploy") if start in rows else ROWS[start].net("conv")
        before.update((layer.name + suffix, start) for layer in message.layer)
    zero = [name for name in net.params if name in before and "up" not in name and not net.params[name][0].data.any()]
    if zero:
        starts = " and ".join(dict.fromkeys(before[name] for name in zero))
        raise ValueError(
            f"{row.name}: {', '.join(map(str, weights))} gives no weights to {', '.join(zero)}, expected those of "
            f"{starts}, the stage before. Train that first (--chain does), or give --allow-zero-init to train all the "
            "same."
        )


def _narrow(net: Any, row: DeepLab, weights: Path) -> None:
    """VGG16's convolutions as they are; its fc6 and fc7 sub-sampled, unless the row has them drawn at random."""
    source = published(row.starts[0], "conv", str(weights))
    wide = [name for name in ("fc6", "fc7") if name in net.params]
    if not row.drawn:
        surgery.subsample(net, source, wide)
    for name in net.params:
        if name in source.params and name not in wide:
            for blob, given in zip(net.params[name], source.params[name]):
                blob.data[...] = given.data


def _score_as_classifier(net: Any, row: Tagged, classifier: ClassifierStart, weights: Path) -> None:
    """Give the score layer weights of the trunk's classifier (see `ClassifierStart`)."""
    source = published(row.starts[0], "conv", str(weights))
    old = source.params[list(source.params)[-1]]
    (name,) = (name for name in net.params if name.startswith("score"))
    for new, given in zip(net.params[name], old):
        for cls, known in classifier.classes.items():
            new.data[cls] = classifier.gain * (given.data[list(known)].mean(axis=0) - given.data.mean(axis=0))
    net.params[name][1].data[0] = classifier.background


def _widen_first_convolution(net: Any, row: Variant, weights: Path) -> None:
    """Give input channels that the trunk was not trained on the mean of the kernels it has."""
    source = published(row.starts[0], "conv", str(weights))
    name = next(iter(source.params))
    kernels, target = source.params[name][0].data, net.params[name + row.data.first]
    target[0].data[:, : kernels.shape[1]] = kernels
    target[0].data[:, kernels.shape[1] :] = kernels.mean(axis=1, keepdims=True)
    target[1].data[...] = source.params[name][1].data
