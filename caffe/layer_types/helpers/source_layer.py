"""SourceLayer: the base class of layers without bottoms."""

from collections.abc import Sequence

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.layer_types.base import Handling, NativeLayer, Traits


class SourceLayer(NativeLayer):
    """A layer without bottoms.

    Its tops get their shapes in `setup`, or with the data in `forward`; `reshape` does nothing, so that a user may
    reshape them in between. There is nothing to go backward to.
    """

    bottoms = 0
    traits = Traits(handling=Handling.MOVED)

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None: ...


def fill(top: Sequence[Blob], arrays: Sequence[np.ndarray]) -> None:
    """Give each top the shape and the numbers of its float32 array, which it may keep as its memory."""
    for blob, array in zip(top, arrays, strict=True):
        blob.reshape(*array.shape)
        values = torch.from_numpy(array)
        if device.mode_is_gpu():  # from pinned memory, so that nobody waits for what the GPU has still to do
            values = values.pin_memory().to(device.current(), non_blocking=True)
        blob.tensor = values
