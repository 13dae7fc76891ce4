"""The pieces that nets are put together from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P

BIAS_TWICE = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}]
"""How weights and biases learn: biases twice as fast, and not decayed (FCN, section 4.3)."""

FIXED = [{"lr_mult": 0}]


@dataclass(frozen=True)
class Form:
    """Which net is made of a trunk: they share the weights, and differ in these.

    pad: of the first convolution, in pixels; None leaves what the classification net has.
    dropout: whether dropout layers are there.
    inner_product: whether fully connected layers are InnerProduct, as in the classification net, or convolutions.
    first: what the name of the first convolution ends in, where its input is not the three channels it was trained on.
    fillers: the `weight_filler` of convolutions and InnerProducts; without one their weights begin as zeros.
    special: that of single layers, by name, where it is another.
    """

    pad: int | None = None
    dropout: bool = True
    inner_product: bool = False
    first: str = ""
    fillers: dict[str, Any] = field(default_factory=dict)
    special: dict[str, dict[str, Any]] = field(default_factory=dict)

    def filler(self, layer: str) -> dict[str, Any]:
        """The settings that fill the weights of a layer."""
        return self.special.get(layer, self.fillers)


class Level(NamedTuple):
    """A feature map that can be scored: `stride` image pixels lie between two of its pixels."""

    name: str
    stride: int
    top: Top


class SuffixedSpec:
    """A NetSpec in which every name ends in `suffix`, so that a net can hold a trunk several times."""

    def __init__(self, spec: NetSpec, suffix: str = "") -> None:
        self.spec = spec
        self.suffix = suffix

    def __setitem__(self, name: str, top: Top) -> None:
        self.spec[name + self.suffix] = top

    def __getitem__(self, name: str) -> Top:
        return self.spec[name + self.suffix]


def conv_relu(bottom: Top, width: int, kernel_size: int, **settings: Any) -> tuple[Top, Top]:
    """A convolution to `width` channels and the ReLU that works in place on it."""
    conv = L.Convolution(bottom, num_output=width, kernel_size=kernel_size, **settings)
    return conv, L.ReLU(conv, in_place=True)


def max_pool(bottom: Top, kernel_size: int, stride: int, **settings: Any) -> Top:
    """A max pooling layer."""
    return L.Pooling(bottom, pool=P.Pooling.MAX, kernel_size=kernel_size, stride=stride, **settings)


def dropout(bottom: Top, ratio: float) -> Top:
    """An in-place Dropout layer."""
    return L.Dropout(bottom, dropout_ratio=ratio, in_place=True)


def score_conv(bottom: Top, classes: int) -> Top:
    """One score per class at every pixel. It has no filler: it begins as zeros, as the papers have it."""
    return L.Convolution(bottom, num_output=classes, kernel_size=1, pad=0, param=BIAS_TWICE)


def upsample(bottom: Top, classes: int, kernel: dict[str, int], learned: bool = False) -> Top:
    """A Deconvolution of `kernel` (see below), fixed unless `learned`, with no bias.

    Surgery fills it, also where it is learned: a filler of Caffe would mix the classes.
    """
    settings = {"num_output": classes, **kernel, "bias_term": False}
    return L.Deconvolution(bottom, convolution_param=settings, param=BIAS_TWICE[:1] if learned else FIXED)


# Bilinear interpolation by `factor`. The parity of the kernel is the trunk's: only one of both puts upsampled pixels on
# image pixels, and not half a step beside them. Around the centres of the outermost pixels the scores fade to
# zero: over `factor` pixels, which trimming cuts down to half of them, or to none. The more is cut, the less must a
# trunk lose of its own border for a skip to be large enough to crop.


def even_kernel(factor: int) -> dict[str, int]:
    """For a trunk whose pixels lie between image pixels: `n` pixels become `factor * (n + 1)`."""
    return {"kernel_size": 2 * factor, "stride": factor}


def even_kernel_trimmed(factor: int) -> dict[str, int]:
    """For a trunk whose pixels lie between image pixels: `n` pixels become `factor * n`."""
    return {"kernel_size": 2 * factor, "stride": factor, "pad": factor // 2}


def odd_kernel(factor: int) -> dict[str, int]:
    """For a trunk whose pixels lie on image pixels: `n` pixels become `factor * (n + 1) - 1`."""
    return {"kernel_size": 2 * factor - 1, "stride": factor}


def odd_kernel_trimmed(factor: int) -> dict[str, int]:
    """For a trunk whose pixels lie on image pixels: `n` pixels become `factor * (n - 1) + 1`, and nothing fades."""
    return {"kernel_size": 2 * factor - 1, "stride": factor, "pad": factor - 1}
