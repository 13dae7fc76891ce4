"""HED: edges from five depths of VGG16, and from all of them together.

Xie and Tu: Holistically-Nested Edge Detection, ICCV 2015. All layers are BVLC Caffe's or Python layers
(data_layers/edge_layers.py): edges are made of labels, and the loss is the authors' balanced one, which their fork has
in the place of SigmoidCrossEntropyLoss.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from caffe.coord_map import crop
from caffe.net_spec import NetSpec, Top
from caffe.net_spec import layers as L
from fcn_caffe.net_spec.blocks import BIAS_TWICE, FIXED, conv_relu, even_kernel, max_pool
from fcn_caffe.net_spec.input_data import DEPLOY
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.net_spec.trunks import VGG16_BLOCKS

PAD = 35
READ = "label"
"""What the data layer calls the labels that edges are made of."""


@dataclass(frozen=True)
class Hed(Variant):
    """Five side outputs and their fusion. `score` holds zeros and the fusion's: the classes "no edge" and "edge".

    of_labels: whether edges are made of the labels of classes that are read, and not read themselves.
    rates: how fast layers learn beside the others, by what their names begin with.
    """

    of_labels: bool = True
    rates: dict[str, float] = field(default_factory=dict)

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`."""
        n, data, deploy = NetSpec(), self.data, phase == DEPLOY
        (head,) = data.heads
        read = replace(data, heads=(replace(head, label=READ),)) if self.of_labels else data
        read.feed(n, phase)
        if self.of_labels and not deploy:
            n[head.label] = L.Python(n[READ], module="edge_layers", layer="EdgesLayer")
        top, sides = n.data, []
        for block, (width, depth) in enumerate(VGG16_BLOCKS, 1):
            if block > 1:
                n[f"pool{block - 1}"] = top = max_pool(top, 2, stride=2)
            for number in range(1, depth + 1):
                pad = PAD if block == number == 1 else 1
                conv, top = conv_relu(top, width, 3, pad=pad, param=BIAS_TWICE)
                n[f"conv{block}_{number}"], n[f"relu{block}_{number}"] = conv, top
            sides.append(self._side(n, block, top))
        n.concat_sides = joined = L.Concat(*sides)
        mean = {"type": "constant", "value": 1 / len(sides)}
        n.fuse = fuse = L.Convolution(joined, num_output=1, kernel_size=1, param=SLOWER, weight_filler=mean)
        n.no_edge = L.Power(fuse, scale=0)
        n.score = L.Concat(n.no_edge, fuse)
        if not deploy:
            for number, side in enumerate(sides, 1):
                n[f"loss{number}"] = self._loss(side, n[head.label])
            n[head.loss] = self._loss(fuse, n[head.label])
        net = self.fixed(n)
        for layer in net.layer:
            for prefix, times in self.rates.items():
                if layer.name.startswith(prefix):
                    for param in layer.param:
                        param.lr_mult *= times
        return net

    def _side(self, n: NetSpec, block: int, bottom: Top) -> Top:
        """An edge map from a depth of the trunk, at the size of the image."""
        n[f"side{block}"] = side = L.Convolution(bottom, num_output=1, kernel_size=1, param=BIAS_TWICE)
        if block > 1:
            kernel = {**even_kernel(2 ** (block - 1)), "weight_filler": {"type": "bilinear"}}
            settings = {"num_output": 1, "bias_term": False, **kernel}
            n[f"upside{block}"] = side = L.Deconvolution(side, convolution_param=settings, param=FIXED)
        n[f"side{block}_c"] = cropped = crop(side, n.data)
        return cropped

    def _loss(self, scores: Top, edges: Top) -> Top:
        return L.Python(scores, edges, module="edge_layers", layer="BalancedSigmoidLossLayer", loss_weight=1)


SLOWER = [{"lr_mult": 0.1, "decay_mult": 1}, {"lr_mult": 0.2, "decay_mult": 0}]
"""The fusion learns a tenth as fast as the sides, as in the authors' net."""
PUBLISHED_RATES = {"conv5": 100, "side": 0.01, "fuse": 0.01}
"""The authors', for the VGG team's weights; the fusion's is a thousandth beside the trunk's."""
