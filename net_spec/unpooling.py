"""What SegNet and DeconvNet share: VGG16's convolutions, whose poolings tell where they found their maxima."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from caffe.net_spec import params as P
from caffe.proto import caffe_pb2
from fcn_caffe.net_spec.fcn import Head
from fcn_caffe.net_spec.input_data import DEPLOY
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.net_spec.trunks import VGG16_BLOCKS


class Pooled(NamedTuple):
    """Where a pooling found its maxima, and the size of its bottom: height and width."""

    mask: Top
    size: tuple[int, int]


@dataclass(frozen=True)
class UnpoolingNet(Variant):
    """A net for images of one size, that of the data set's examples: sizes of maps stand in its layers."""

    foreign: ClassVar[tuple[str, ...]] = ()
    """Types of layers that BVLC Caffe does not have."""
    fork: ClassVar[str] = ""
    """Whose Caffe has them."""
    message: ClassVar[str] = ""
    """The field of a layer's settings that tells a Caffe which has them."""

    def can_be_made(self) -> bool:
        """Whether the Caffe that is imported has the fork's settings."""
        return self.message in caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`. Raises ValueError in a Caffe that has no such layers."""
        if not self.can_be_made():
            raise ValueError(
                f"{self.name} has layers of {self.fork}'s fork, {', '.join(self.foreign)}, which this Caffe does not "
                "have. Make it with this project's."
            )
        n, data = NetSpec(), self.data
        data.feed(n, phase)
        (head,) = data.heads
        top, size, poolings = n.data, data.size, []
        for block, (width, depth) in enumerate(VGG16_BLOCKS, 1):
            for number in range(1, depth + 1):
                top = self.convolved(n, f"{block}_{number}", top, width)
            n[f"pool{block}"], n[f"pool{block}_mask"] = L.Pooling(
                top, pool=P.Pooling.MAX, kernel_size=2, stride=2, ntop=2
            )
            top = n[f"pool{block}"]
            poolings.append(Pooled(n[f"pool{block}_mask"], size))
            size = (-(-size[0] // 2), -(-size[1] // 2))
        n.score = score = L.Power(self.decoded(n, top, poolings, head))
        if phase != DEPLOY:
            self.put_loss(n, score, head)
        return self.fixed(n)

    def convolved(self, n: NetSpec, name: str, bottom: Top, width: int) -> Top:
        """A convolution of the first half, normalised, and its ReLU."""
        raise NotImplementedError

    def decoded(self, n: NetSpec, top: Top, poolings: list[Pooled], head: Head) -> Top:
        """The scores, from the map that was pooled last."""
        raise NotImplementedError
