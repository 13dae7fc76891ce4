"""A layer's parameter while it computes: its values, what is made of them, and where their gradient may go."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from caffe.blob import Blob


@dataclass(frozen=True)
class Weight:
    """A parameter that an operation multiplies by, which does so again in the next pass of the net."""

    values: torch.Tensor
    index: int
    _blob: Blob
    _asked: dict[object, object]
    """Of the layer: what `recurs` was last asked."""
    _rooms: dict[int, torch.Tensor | None]
    """Of the layer: memory for gradients, by index, while it runs backward."""

    def of_type(self, kind: torch.dtype) -> torch.Tensor:
        """The values in this type, kept for the next pass if they have another."""
        if self.values.dtype != kind:
            return self.made_of(torch.Tensor.to, kind)
        if self.values.requires_grad:
            self._blob.memory.drop_derived()
        return self.values

    def made_of(self, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(values, *settings), kept until the values may have changed, unless they learn or are viewed."""
        values, blob = self.values, self._blob
        if values.requires_grad:
            blob.memory.drop_derived()
        if values.requires_grad or values.data_ptr() != blob.tensor.data_ptr():
            return make(values, *settings)
        made = blob.memory.derived(make, *settings)
        return values if made is blob.tensor else made

    def keeps(self, make: Callable[..., torch.Tensor], *settings: object) -> bool:
        """Whether `made_of` would make this for many passes, so that it may take long.

        Not of a parameter that learns, nor of one that a NumPy view of it may change at any time. With settings, such
        as the size of an image, from the second time on that the same is asked in a row.
        """
        if settings and not self.recurs(make, self._blob.memory.stamp, settings):
            return False
        return not self.values.requires_grad and not self._blob.memory.viewed

    def recurs(self, key: object, *settings: object) -> bool:
        """Whether the settings, such as the size of an image, are those that this was last asked with for this key."""
        met, self._asked[self.index, key] = self._asked.get((self.index, key)), settings
        return met == settings

    def gradient_memory(self) -> torch.Tensor | None:
        """While the layer runs backward: memory that the gradient of these values may take, if there is some."""
        return self._rooms.get(self.index)
