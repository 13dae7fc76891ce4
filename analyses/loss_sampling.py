"""A Python layer that excludes some cells of the final layer from the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import caffe
from caffe.proto import caffe_pb2
from fcn_caffe.data_layers.segdata import params
from fcn_caffe.data_layers.segdata.labels import VOID


class SampleCells(caffe.Layer):
    """Makes the labels of cells void, each with probability 1 - keep, anew in every forward pass (CVPR 2015, 4.3).

    bottom: labels, N×1×H×W. top: the same with void cells. A cell is `cell`×`cell` pixels on a grid from the upper left
    corner; `cell` is the stride of the final layer.

    Settings, in `param_str`, a Python dictionary literal: keep (0 to 1), cell, seed.
    """

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        settings = params.parse(self.param_str, type(self).__name__, ("keep", "cell", "seed"), ())
        self.keep, self.cell = float(settings["keep"]), int(settings["cell"])
        self.rng = np.random.default_rng(settings["seed"])

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        labels = bottom[0].data
        number, _, height, width = labels.shape
        cells = self.rng.random((number, 1, -(-height // self.cell), -(-width // self.cell))) < self.keep
        kept = cells.repeat(self.cell, axis=2).repeat(self.cell, axis=3)[:, :, :height, :width]
        top[0].data[...] = np.where(kept, labels, VOID)

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        pass


def sample_loss(net: Any, keep: float, cell: int, seed: int = 1) -> Any:
    """The train net with a SampleCells between its labels and its loss."""
    made = caffe_pb2.NetParameter()
    made.CopyFrom(net)
    loss = next(layer for layer in made.layer if layer.type == "SoftmaxWithLoss")
    sampled = caffe_pb2.LayerParameter(name="sample", type="Python", bottom=[loss.bottom[1]], top=["label_sampled"])
    sampled.python_param.module, sampled.python_param.layer = __name__, SampleCells.__name__
    sampled.python_param.param_str = repr({"keep": keep, "cell": cell, "seed": seed})
    loss.bottom[1] = "label_sampled"
    before = [layer for layer in made.layer if layer is not loss]
    del made.layer[:]
    made.layer.extend([*before[:1], sampled, *before[1:], loss])
    return made
