"""SegNet: VGG16's convolutions and their mirror image, which puts every value back where its pooling found the maximum.

Badrinarayanan, Kendall, Cipolla: SegNet, A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation. The
layers Upsample and BN are of the authors' fork: BVLC Caffe does not have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from caffe.proto import caffe_pb2
from fcn_caffe.net_spec.blocks import BIAS_TWICE
from fcn_caffe.net_spec.fcn import add_loss
from fcn_caffe.net_spec.input_data import DEPLOY
from fcn_caffe.net_spec.nets import RANDOM, Variant
from fcn_caffe.net_spec.trunks import VGG16_BLOCKS

BN_RATES = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 1, "decay_mult": 0}]
STARTS = {"scale_filler": {"type": "constant", "value": 1}, "shift_filler": {"type": "constant", "value": 0.001}}


@dataclass(frozen=True)
class SegNet(Variant):
    """A net for images of one size, that of the data set's examples: sizes of odd maps stand in its layers."""

    foreign: ClassVar[tuple[str, ...]] = ("Upsample", "BN")

    def can_be_made(self) -> bool:
        """Whether the Caffe that is imported has Upsample's message."""
        return "upsample_param" in caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`. Raises ValueError in a Caffe that has no such layers."""
        if not self.can_be_made():
            raise ValueError(
                f"{self.name} has layers of SegNet's fork, {', '.join(self.foreign)}, which this Caffe does not have. "
                "Make it with this project's."
            )
        n, data, deploy = NetSpec(), self.data, phase == DEPLOY
        data.feed(n, phase)
        (head,) = data.heads
        top, size, poolings = n.data, data.size, []
        for block, (width, depth) in enumerate(VGG16_BLOCKS, 1):
            for number in range(1, depth + 1):
                top = self._block(n, f"{block}_{number}", top, width)
            n[f"pool{block}"], n[f"pool{block}_mask"] = L.Pooling(
                top, pool=P.Pooling.MAX, kernel_size=2, stride=2, ntop=2
            )
            top = n[f"pool{block}"]
            poolings.append((n[f"pool{block}_mask"], size))
            size = (-(-size[0] // 2), -(-size[1] // 2))
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
                top = self._block(n, f"{block}_{number}_D", top, narrower)
        n["conv1_1_D" + head.ending] = scores = L.Convolution(
            top, num_output=head.classes, kernel_size=3, pad=1, param=BIAS_TWICE, **RANDOM
        )
        n.score = score = L.Power(scores)
        if not deploy:
            add_loss(n, score, head, self.recipe.normalize)
        return self.fixed(n)

    def _block(self, n: NetSpec, name: str, bottom: Top, width: int) -> Top:
        """A convolution, normalised by the batch, and its ReLU."""
        n[f"conv{name}"] = conv = L.Convolution(
            bottom, num_output=width, kernel_size=3, pad=1, param=BIAS_TWICE, **RANDOM
        )
        n[f"conv{name}_bn"] = normal = L.BN(conv, param=BN_RATES, bn_param=STARTS)
        n[f"relu{name}"] = L.ReLU(normal, in_place=True)
        return n[f"relu{name}"]
