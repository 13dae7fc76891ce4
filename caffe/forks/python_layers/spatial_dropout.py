"""spatial_dropout of ENet: drops whole channels in TRAIN; in TEST multiplies by 1 / (1 − p), as there.

layer { type: "Python" bottom: "x" top: "y" python_param { module: "spatial_dropout" layer: "SpatialDropoutLayer"
        param_str: "{'phase': 'TEST', 'p': '0.01'}" } }
"""

from typing import Any

import numpy as np
import torch

from caffe import device
from caffe.errors import NetError
from caffe.forks.python_layers import PublishedLayer, settings


class SpatialDropoutLayer(PublishedLayer):
    """One bottom (N, C, …), one top like it; `phase` and `p` of param_str say what it does."""

    bottoms, tops = ("x",), ("y",)

    def setup(self, bottom: Any, top: Any) -> None:
        """Read phase (TRAIN, TEST) and p, the share of channels that is dropped."""
        self.check(bottom, top)
        given = settings(self.param_str, str(self))
        try:
            self.drops, self.share = str(given.get("phase")) == "TRAIN", float(given.get("p", 0))
        except (TypeError, ValueError):
            self.share = 0.0
        if not 0 < self.share < 1:
            raise NetError(
                f"{self}: param_str is {self.param_str!r}, expected 'p' between 0 and 1. Correct it.", layer=self.name
            )
        self.factors: Any = np.float32(1 / (1 - self.share))

    def reshape(self, bottom: Any, top: Any) -> None:
        """The top is like the bottom."""
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom: Any, top: Any) -> None:
        """Each image drops channels of its own."""
        x = bottom[0].data
        scale: Any = np.float32(1 / (1 - self.share))
        if self.drops:
            keep = torch.empty(x.shape[:2], device=device.current())
            drawn = keep.bernoulli_(1 - self.share, generator=device.generator()).cpu().numpy()
            scale = (scale * drawn).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
        self.factors = scale
        top[0].data[...] = x * scale

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        """The same factors again."""
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff * self.factors
