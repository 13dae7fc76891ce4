"""CRF as RNN: an FCN whose scores go through a dense CRF that learns with it.

Zheng, Jayasumana, Romera-Paredes, Vineet, Su, Du, Huang, Torr: Conditional Random Fields as Recurrent Neural Networks,
ICCV 2015. The layer, MultiStageMeanfield, is one of the authors' fork: BVLC Caffe does not have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from caffe.proto import caffe_pb2
from fcn_caffe.net_spec.nets import Variant

LAYER, COARSE = "inference1", "coarse"
FIELD = "multi_stage_meanfield_param"


@dataclass(frozen=True)
class CrfRnn(Variant):
    """An FCN and the CRF behind it.

    iterations: of the mean field: in training, and else.
    theta: standard deviations of the CRF's kernels: alpha (pixels) and beta (colours) of the bilateral one, gamma
        (pixels) of the spatial one. spatial, bilateral: the weights with which they begin.
    rates: how many times faster than the net the CRF's weights learn: both kernels', and the compatibilities.
    net_learns: False: the CRF alone learns.
    """

    iterations: tuple[int, int] = (5, 10)
    theta: tuple[float, float, float] = (160, 3, 3)
    spatial: float = 3
    bilateral: float = 5
    rates: tuple[float, float] = (1e4, 1e3)
    net_learns: bool = True
    foreign: ClassVar[tuple[str, ...]] = ("MultiStageMeanfield",)

    def can_be_made(self) -> bool:
        """Whether the Caffe that is imported has the CRF layer's message."""
        return FIELD in caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name

    def net(self, phase: str) -> Any:
        """The NetParameter of one of `phases`. Raises ValueError in a Caffe that has no such layer."""
        if not self.can_be_made():
            raise ValueError(
                f"{self.name} has a layer of CRF as RNN's fork, {', '.join(self.foreign)}, which this Caffe does not "
                "have. Make it with this project's."
            )
        net, train = super().net(phase), phase == self.data.train.file
        if not self.net_learns:
            for layer in net.layer:
                if layer.type == "Convolution":
                    del layer.param[:]
                    layer.param.extend([caffe_pb2.ParamSpec(lr_mult=0)] * 2)
        layers = list(net.layer)
        (index,) = (index for index, layer in enumerate(layers) if layer.name == "score")
        layers[index].name = layers[index].top[0] = COARSE
        layers.insert(index + 1, self._layer(train))
        del net.layer[:]
        net.layer.extend(layers)
        return net

    def _layer(self, train: bool) -> Any:
        layer = caffe_pb2.LayerParameter(
            name=LAYER, type="MultiStageMeanfield", bottom=[COARSE, COARSE, "data"], top=["score"]
        )
        kernels, compatibility = self.rates
        for rate in (kernels, kernels, compatibility):
            layer.param.add(lr_mult=rate)
        param = getattr(layer, FIELD)
        param.num_iterations = self.iterations[0 if train else 1]
        param.theta_alpha, param.theta_beta, param.theta_gamma = self.theta
        param.spatial_filter_weight, param.bilateral_filter_weight = self.spatial, self.bilateral
        return layer
