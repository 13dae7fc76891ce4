"""What the ways of the plan ask of a layer's parameter."""

from collections.abc import Callable
from typing import Protocol

import torch


class Parameter(Protocol):
    """A parameter that a layer multiplies by (caffe/layer_types/base/parameter.py)."""

    @property
    def values(self) -> torch.Tensor: ...

    def made_of(self, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(values, *settings), perhaps from a pass before."""

    def keeps(self, make: Callable[..., torch.Tensor], *settings: object) -> bool:
        """Whether `made_of` would make this for many passes."""

    def recurs(self, key: object, *settings: object) -> bool:
        """Whether the pass before asked this, for this key, with the same settings."""

    def room(self) -> torch.Tensor | None:
        """In a backward pass, memory for the gradient of the values, if there is some."""
