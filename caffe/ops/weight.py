"""Weight: a parameter while its layer computes: values, cached results made of them, memory for the gradient."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from caffe.blob import Blob


@dataclass(frozen=True)
class Weight:
    """A parameter as an operand of an operation: what is prepared from its values is kept from pass to pass."""

    values: torch.Tensor
    index: int
    _blob: Blob
    _asked: dict[object, object]
    """What `keeps` was asked last, by index and what makes it; the layer's."""
    _rooms: dict[int, torch.Tensor | None]
    """Memory for gradients, by index, while the layer runs backward; the layer's."""

    def of_type(self, kind: torch.dtype) -> torch.Tensor:
        """The values in this dtype; a converted copy is kept for the next pass."""
        if self.values.dtype != kind:
            return self.made_of(torch.Tensor.to, kind)
        if self.values.requires_grad:
            self._blob.memory.drop_derived()
        return self.values

    def made_of(self, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(values, *settings), cached until the values may change; not while they learn or NumPy sees them."""
        values, blob = self.values, self._blob
        if values.requires_grad:
            blob.memory.drop_derived()
        if values.requires_grad or values.data_ptr() != blob.tensor.data_ptr():
            return make(values, *settings)
        made = blob.memory.derived(make, *settings)
        return values if made is blob.tensor else made

    def keeps(self, make: Callable[..., torch.Tensor], *settings: object) -> bool:
        """Whether `made_of` will serve many passes, so that an expensive preparation pays.

        False for a parameter that learns, and while a NumPy view of it is alive, through which it may change at any
        time. With settings, such as the size of an image: true from the second call in a row with the same ones.
        """
        if settings:
            asked, key = (self._blob.memory.stamp, settings), (self.index, make)
            met, self._asked[key] = self._asked.get(key), asked
            if met != asked:
                return False
        return not self.values.requires_grad and not self._blob.memory.viewed

    def gradient_memory(self) -> torch.Tensor | None:
        """Memory for the gradient of these values while the layer runs backward; None if there is none to reuse."""
        return self._rooms.get(self.index)
