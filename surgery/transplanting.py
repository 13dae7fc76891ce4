"""Parameters copied from net to net by layer name, their values laid out anew where shapes differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fcn_caffe.surgery.copy_report import Report, dims


def transplant(new_net: Any, net: Any, suffix: str = "", quiet: bool = False) -> Report:
    """Copy every parameter of `net` into the layer of `new_net` with the same name plus `suffix`.

    A parameter of another shape is coerced, keeping the order of its values, if it has as many values and outputs: so
    a fully connected layer, outputs × (channels·height·width), becomes the convolution outputs × channels × height ×
    width that computes the same. Parameters without a partner are dropped or stay untouched. Returns the report, and
    prints it unless `quiet`.

    Raises ValueError, before anything is copied, if parameters do not fit; it names them all.
    """
    remedy = (
        "Give the new net's layer another name to start it afresh, or use expand_score to add classes to a score layer."
    )
    return _copy("transplant", new_net, net, lambda layer: layer + suffix, remedy, quiet)


def convolutionalize(conv_net: Any, net: Any, suffix: str = "", quiet: bool = False) -> Report:
    """Give the fully convolutional twin of a classification net that net's parameters.

    Layers are matched by name; a convolution made of an InnerProduct layer may have `suffix` added to it (fc6-conv).
    Its kernel must cover what the InnerProduct layer sees: height × width × channels values. Fully connected layers
    without a twin, such as the classifier that a score layer replaces, are dropped. Weights in the old form of four
    dimensions, 1×1×4096×25088, are taken too. Of a net without fully connected layers, all is copied. Returns the
    report, and prints it unless `quiet`.

    Raises ValueError, before anything is copied, if there are fully connected layers and none has a twin, or if
    parameters do not fit.
    """
    who = "convolutionalize"
    connected = [layer for layer in net.params if net.layer_dict[layer].type == "InnerProduct"]
    if connected and not any(layer + suffix in conv_net.params for layer in connected):
        raise ValueError(
            f"{who}: the convolutional net has the layers {', '.join(conv_net.params)}, and none of "
            f"{', '.join(layer + suffix for layer in connected)}. "
            "Name the convolutions like the fully connected layers, or say what is added to their names (suffix)."
        )
    remedy = "Make the convolution's kernel_size the height and width of what the fully connected layer sees."
    rename: Callable[[str], str] = lambda layer: layer + suffix if layer in connected else layer  # noqa: E731
    return _copy(who, conv_net, net, rename, remedy, quiet)


def _copy(who: str, new_net: Any, net: Any, rename: Callable[[str], str], remedy: str, quiet: bool) -> Report:
    report = Report()
    pairs, misfits, filled = [], [], set()
    for layer, blobs in net.params.items():
        new_layer = rename(layer)
        new_blobs = new_net.params.get(new_layer, [])
        for i in range(len(blobs)):
            name = f"{layer}[{i}]"
            if i >= len(new_blobs):
                report.dropped.append(name)
                continue
            if new_layer != layer:
                name += f" to {new_layer}[{i}]"
            old, new = blobs[i].data, new_blobs[i].data
            shapes = f"{dims(old.shape)} to {dims(new.shape)}"
            if old.shape == new.shape:
                report.copied.append(name)
            elif old.size == new.size and _outputs(old.shape) == _outputs(new.shape):
                report.coerced.append(f"{name} ({shapes})")
            else:
                misfits.append(
                    f"{name} is {dims(old.shape)}, {old.size} values, and the new net wants "
                    f"{dims(new.shape)}, {new.size} values"
                )
            pairs.append((old, new))
            filled.add((new_layer, i))
    if misfits:
        raise ValueError(f"{who}: {'; '.join(misfits)}. Expected as many values and as many outputs. {remedy}")
    for old, new in pairs:
        new[...] = old.reshape(new.shape)
    for layer, blobs in new_net.params.items():
        for i in range(len(blobs)):
            if (layer, i) not in filled:
                report.untouched.append(f"{layer}[{i}]")
                if not blobs[i].data.any():
                    report.zero.append(f"{layer}[{i}]")
    if not quiet:
        print(report)
    return report


def _outputs(shape: Sequence[int]) -> int:
    """The length of the first axis that is not 1: old files put ones before it."""
    return next((length for length in shape if length != 1), 1)
