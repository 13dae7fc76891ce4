"""Sizes of a net, computed from its NetParameter alone: no net is built, and no weights are needed.

It knows the layers that the nets of this package are made of.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

Shape = tuple[int, ...]


class InputWindow(NamedTuple):
    """The receptive field of a pixel of a blob: `size` pixels of the input, `stride` further for the next pixel."""

    size: int
    stride: int


def shapes(net: Any, inputs: dict[str, Shape] | None = None) -> dict[str, Shape]:
    """Blob to shape, as Caffe computes them. `inputs` replaces the shapes of Input layers and gives data layers theirs.

    Raises ValueError for a type of layer that is not known here, and for a Crop that reaches out of its blob.
    """
    known: dict[str, Shape] = {}
    for layer in net.layer:
        bottoms = [known[name] for name in layer.bottom]
        if not bottoms:
            for top in layer.top:
                known[top] = (inputs or {}).get(top) or tuple(layer.input_param.shape[0].dim)
        elif layer.type not in _TOP_SHAPES:
            raise ValueError(f"layer '{layer.name}': no rule for the shapes of {layer.type}; add one to {__name__}")
        else:
            known.update((top, _TOP_SHAPES[layer.type](layer, bottoms)) for top in layer.top)
    return known


def parameters(net: Any, inputs: dict[str, Shape] | None = None) -> dict[str, int]:
    """Layer to number of weights and biases, for the layers that have some."""
    known = shapes(net, inputs)
    counts: dict[str, int] = {}
    for layer in net.layer:
        if layer.type in ("Convolution", "Deconvolution"):
            settings = layer.convolution_param
            area = settings.kernel_size[0] ** 2
            weights = settings.num_output * known[layer.bottom[0]][1] // settings.group * area
        elif layer.type == "InnerProduct":
            settings = layer.inner_product_param
            weights = settings.num_output * math.prod(known[layer.bottom[0]][1:])
        elif layer.type == "Scale":
            counts[layer.name] = known[layer.bottom[0]][1]
            continue
        else:
            continue
        counts[layer.name] = weights + (settings.num_output if settings.bias_term else 0)
    return counts


def receptive_field(net: Any, blob: str, source: str = "data") -> InputWindow:
    """The receptive field of one pixel of `blob` in `source`: the largest window over all paths between them.

    Raises ValueError if there is no way but through layers that see everything, or that upsample.
    """
    return InputWindow(*_seen(net, blob, source)[:2])


def place(net: Any, blob: str, position: int, source: str = "data") -> tuple[int, int]:
    """Along one axis, the first pixel of `source` that a position of `blob` sees, and the first that it does not see;
    either may lie in the padding. Raises ValueError as `receptive_field`."""
    size, stride, start = _seen(net, blob, source)
    return start + stride * position, start + stride * position + size


def _seen(net: Any, blob: str, source: str) -> tuple[int, int, int]:
    """The size of a pixel's window, how much further that of the next is, and where the first begins."""
    windows = {source: (1, 1, 0)}
    for layer in net.layer:
        seen = [windows[bottom] for bottom in layer.bottom if bottom in windows]
        if not seen or layer.type in ("InnerProduct", "Deconvolution"):
            continue
        size, stride, start = max(seen)
        if layer.type in ("Convolution", "Pooling"):
            kernel, step, pad = _kernel(layer)
            size, stride, start = size + (kernel - 1) * stride, stride * step, start - pad * stride
        windows.update((top, (size, stride, start)) for top in layer.top)
    if blob not in windows:
        raise ValueError(f"blob '{blob}': there is no way from '{source}' to it through layers that slide a window")
    return windows[blob]


def _kernel(layer: Any) -> tuple[int, int, int]:
    """Extent, stride and padding of a layer that slides a square window."""
    if layer.type == "Pooling":
        settings = layer.pooling_param
        return settings.kernel_size, settings.stride, settings.pad
    settings = layer.convolution_param
    dilation = _first(settings.dilation, 1)
    return (settings.kernel_size[0] - 1) * dilation + 1, _first(settings.stride, 1), _first(settings.pad, 0)


def _first(values: Any, default: int) -> int:
    return values[0] if values else default


def _convolution(layer: Any, bottoms: list[Shape]) -> Shape:
    kernel, stride, pad = _kernel(layer)
    sizes = ((size + 2 * pad - kernel) // stride + 1 for size in bottoms[0][2:])
    return (bottoms[0][0], layer.convolution_param.num_output, *sizes)


def _deconvolution(layer: Any, bottoms: list[Shape]) -> Shape:
    kernel, stride, pad = _kernel(layer)
    sizes = ((size - 1) * stride + kernel - 2 * pad for size in bottoms[0][2:])
    return (bottoms[0][0], layer.convolution_param.num_output, *sizes)


def _pooling(layer: Any, bottoms: list[Shape]) -> Shape:
    if layer.pooling_param.global_pooling:
        return (*bottoms[0][:2], 1, 1)
    kernel, stride, pad = _kernel(layer)
    return (*bottoms[0][:2], *(_pooled(size, kernel, stride, pad) for size in bottoms[0][2:]))


def _pooled(size: int, kernel: int, stride: int, pad: int) -> int:
    """Rounded up; but with padding, a last window that would lie in the padding alone is left out."""
    pooled = -(-(size + 2 * pad - kernel) // stride) + 1
    return pooled - 1 if pad and (pooled - 1) * stride >= size + pad else pooled


def _crop(layer: Any, bottoms: list[Shape]) -> Shape:
    settings = layer.crop_param
    source, reference = bottoms
    offset = _first(settings.offset, 0)
    for axis in range(settings.axis, len(reference)):
        if offset + reference[axis] > source[axis]:
            raise ValueError(
                f"layer '{layer.name}': the crop for dimension {axis} is out-of-bounds: {reference[axis]} pixels from "
                f"{offset} on, where {layer.bottom[0]} has {source[axis]}"
            )
    return (*source[: settings.axis], *reference[settings.axis :])


def _concat(layer: Any, bottoms: list[Shape]) -> Shape:
    return (bottoms[0][0], sum(shape[1] for shape in bottoms), *bottoms[0][2:])


def _inner_product(layer: Any, bottoms: list[Shape]) -> Shape:
    return (bottoms[0][0], layer.inner_product_param.num_output)


def _same(layer: Any, bottoms: list[Shape]) -> Shape:
    return bottoms[0]


def _scalar(layer: Any, bottoms: list[Shape]) -> Shape:
    return ()


def _upsample(layer: Any, bottoms: list[Shape]) -> Shape:
    return (*bottoms[0][:2], layer.upsample_param.upsample_h, layer.upsample_param.upsample_w)


def _unpooling(layer: Any, bottoms: list[Shape]) -> Shape:
    return (*bottoms[0][:2], layer.unpooling_param.unpool_h, layer.unpooling_param.unpool_w)


_TOP_SHAPES = {
    "Accuracy": _scalar,
    "BN": _same,
    "Concat": _concat,
    "Convolution": _convolution,
    "Crop": _crop,
    "Deconvolution": _deconvolution,
    "Dropout": _same,
    "Eltwise": _same,
    "InnerProduct": _inner_product,
    "LRN": _same,
    "MultiStageMeanfield": _same,
    "Pooling": _pooling,
    "Power": _same,
    "Python": _scalar,
    "ReLU": _same,
    "Scale": _same,
    "Softmax": _same,
    "SoftmaxWithLoss": _scalar,
    "Unpooling": _unpooling,
    "Upsample": _upsample,
}
