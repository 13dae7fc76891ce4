"""SegNet: VGG16's convolutions and their mirror image, which puts every value back where its pooling found the maximum.

Badrinarayanan, Kendall, Cipolla: SegNet, A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation. The
layers Upsample and BN are of the authors' fork: BVLC Caffe does not have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.blocks import BIAS_TWICE
from fcn_caffe.net_spec.fcn import Head
from fcn_caffe.net_spec.nets import RANDOM
from fcn_caffe.net_spec.trunks import VGG16_BLOCKS
from fcn_caffe.net_spec.unpooling import Pooled, UnpoolingNet

BN_RATES = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 1, "decay_mult": 0}]
STARTS = {"scale_filler": {"type": "constant", "value": 1}, "shift_filler": {"type": "constant", "value": 0.001}}


@dataclass(frozen=True)
class SegNet(UnpoolingNet):
    """A net for images of one size, that of the data set's examples: sizes of odd maps stand in its layers."""

    foreign: ClassVar[tuple[str, ...]] = ("Upsample", "BN")
    fork: ClassVar[str] = "SegNet"
    message: ClassVar[str] = "upsample_param"

    def decoded(self, n: NetSpec, top: Top, poolings: list[Pooled], head: Head) -> Top:
        for block in range(len(VGG16_BLOCKS), 0, -1):
            mask, (height, wide) = poolings[block - 1]
            n[f"upsample{block}"] = top = L.Upsample(
                top, mask, upsample_param={"scale": 2, "upsample_h": height, "upsample_w": wide}
            )
            width, depth = VGG16_BLOCKS[block - 1]
            for number in range(depth, 0, -1):
                if block == number == 1:
                    break
                narrower = VGG16_BLOCKS[block - 2][0] if number == 1 else width
                top = self.convolved(n, f"{block}_{number}_D", top, narrower)
        n["conv1_1_D" + head.ending] = scores = L.Convolution(
            top, num_output=head.classes, kernel_size=3, pad=1, param=BIAS_TWICE, **RANDOM
        )
        return scores

    def convolved(self, n: NetSpec, name: str, bottom: Top, width: int) -> Top:
        """A convolution, normalised by the batch, and its ReLU."""
        n[f"conv{name}"] = conv = L.Convolution(
            bottom, num_output=width, kernel_size=3, pad=1, param=BIAS_TWICE, **RANDOM
        )
        n[f"conv{name}_bn"] = normal = L.BN(conv, param=BN_RATES, bn_param=STARTS)
        n[f"relu{name}"] = L.ReLU(normal, in_place=True)
        return n[f"relu{name}"]
