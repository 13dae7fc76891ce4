"""DeconvNet: VGG16 with its wide layers and their mirror image, which unpools where poolings had their maxima.

Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015. Layers are named as in the
authors' files. Unpooling and BN are of their fork: BVLC Caffe does not have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.blocks import BIAS_TWICE
from fcn_caffe.net_spec.fcn import Head
from fcn_caffe.net_spec.trunks import VGG16_BLOCKS
from fcn_caffe.net_spec.unpooling import Pooled, UnpoolingNet

BN = {"scale_filler": {"type": "constant", "value": 1}, "shift_filler": {"type": "constant", "value": 0.001}}
GAUSSIAN = {"weight_filler": {"type": "gaussian", "std": 0.01}, "bias_filler": {"type": "constant", "value": 0}}
WIDE, KERNEL = 4096, 7
"""Channels and kernel of fc6."""
UNPOOL_MAX = 0
"""UnpoolingParameter.MAX, which BVLC Caffe does not have."""


@dataclass(frozen=True)
class DeconvNet(UnpoolingNet):
    """A net for images of one size, that of the data set's examples: the sizes of its unpoolings stand in its layers.

    Every map is normalised by its own statistics, so that fc6 must have more than one pixel: images of 256 pixels and
    more, where the authors have batches of eight images of 224.
    """

    foreign: ClassVar[tuple[str, ...]] = ("Unpooling", "BN")
    fork: ClassVar[str] = "DeconvNet"
    message: ClassVar[str] = "unpooling_param"

    def convolved(self, n: NetSpec, name: str, bottom: Top, width: int) -> Top:
        conv = L.Convolution(bottom, num_output=width, kernel_size=3, pad=1, param=BIAS_TWICE)
        return _normal(n, f"conv{name}", conv, f"bn{name}", f"relu{name}")

    def decoded(self, n: NetSpec, top: Top, poolings: list[Pooled], head: Head) -> Top:
        top = self._wide(n, top)
        for block in range(len(VGG16_BLOCKS), 0, -1):
            mask, (height, wide) = poolings[block - 1]
            unpooling = {"unpool": UNPOOL_MAX, "kernel_size": 2, "stride": 2, "unpool_h": height, "unpool_w": wide}
            n[f"unpool{block}"] = top = L.Unpooling(top, mask, unpooling_param=unpooling)
            width, depth = VGG16_BLOCKS[block - 1]
            for number in range(1, depth + 1):
                name = f"{block}_{number}"
                narrower = VGG16_BLOCKS[block - 2][0] if number == depth and block > 1 else width
                settings = {"num_output": narrower, "kernel_size": 3, "pad": 1, **GAUSSIAN}
                deconv = L.Deconvolution(top, convolution_param=settings, param=BIAS_TWICE)
                top = _normal(n, f"deconv{name}", deconv, f"debn{name}", f"derelu{name}")
        name = f"seg-score{head.ending}" if head.renamed else "seg-score-voc"
        n[name] = scores = L.Convolution(top, num_output=head.classes, kernel_size=1, param=BIAS_TWICE, **GAUSSIAN)
        return scores

    def _wide(self, n: NetSpec, top: Top) -> Top:
        """fc6, fc7, and the deconvolution that brings back what fc6's kernel took from the sides."""
        for name, kernel, relu in (("fc6", KERNEL, "relu6"), ("fc7", 1, "relu7")):
            conv = L.Convolution(top, num_output=WIDE, kernel_size=kernel, param=BIAS_TWICE, **GAUSSIAN)
            top = _normal(n, name, conv, f"bn{name}", relu)
        settings = {"num_output": VGG16_BLOCKS[-1][0], "kernel_size": KERNEL, **GAUSSIAN}
        deconv = L.Deconvolution(top, convolution_param=settings, param=BIAS_TWICE)
        return _normal(n, "fc6-deconv", deconv, "fc6-deconv-bn", "fc6-deconv-relu")


def _normal(n: NetSpec, name: str, layer: Top, norm: str, relu: str) -> Top:
    """A layer, its BN in place of its own top, and its ReLU."""
    n[name] = layer
    n[norm] = L.BN(layer, bn_param=BN, in_place=True)
    n[relu] = L.ReLU(n[norm], in_place=True)
    return n[relu]
