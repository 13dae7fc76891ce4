"""A data layer driven as Caffe's Net drives it, without a Net."""

from typing import Any

import numpy as np

NAMES = ["a", "b", "c", "d", "e"]
MEAN = (104.00699, 116.66877, 122.67892)


class FakeBlob:
    """What a data layer uses of a Blob."""

    def __init__(self) -> None:
        self.data = np.zeros(0, np.float32)

    def reshape(self, *shape: int) -> None:
        self.data = np.zeros(shape, np.float32)


class Driver:
    """A layer, called in the order in which Net calls it."""

    def __init__(self, cls: type, bottoms: int = 0, tops: int = 2, **params: Any):
        self.layer = cls.__new__(cls)
        self.layer.phase = 0  # caffe.TRAIN
        self.layer.param_str = params.pop("param_str", repr(params))
        self.bottom = [FakeBlob() for _ in range(bottoms)]
        self.top = [FakeBlob() for _ in range(tops)]
        self.layer.setup(self.bottom, self.top)
        self.layer.reshape(self.bottom, self.top)

    def forward(self) -> list[np.ndarray]:
        """What the tops hold."""
        self.layer.reshape(self.bottom, self.top)
        self.layer.forward(self.bottom, self.top)
        return [blob.data for blob in self.top]

    def indices(self, count: int) -> list[int]:
        """The indices of the images that the next forwards deliver."""
        found = []
        for _ in range(count):
            found.append(self.layer.idx)
            self.forward()
        return found


def loss_and_gradient(layer_class, predictions, given, param_str=""):
    """What a Python loss layer makes of two bottoms: the loss, and its gradient by the predictions."""
    layer = layer_class.__new__(layer_class)
    layer.param_str = param_str
    bottom, top = [FakeBlob(), FakeBlob()], [FakeBlob()]
    for blob, values in zip(bottom, (predictions, given), strict=True):
        blob.data, blob.diff = values, np.full(values.shape, np.nan)
    layer.setup(bottom, top)
    layer.reshape(bottom, top)
    layer.forward(bottom, top)
    top[0].diff = np.full(1, 2.0)
    layer.backward(top, [True, False], bottom)
    return float(top[0].data[0]), bottom[0].diff / 2
