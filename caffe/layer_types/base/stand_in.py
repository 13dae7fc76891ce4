"""Tensors of which a record for backward keeps the shape, and not the memory."""

from typing import Any

import torch


def without_memory(x: torch.Tensor) -> torch.Tensor:
    """A tensor of the same shape and type, zeros, with the memory of one value."""
    return torch.zeros((), dtype=x.dtype, device=x.device).expand(x.shape)


def stand_in(leaf: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A leaf without memory in place of this one, and the values, whose gradient is the other leaf's."""
    if not leaf.requires_grad:
        return leaf, leaf
    other = without_memory(leaf).requires_grad_()
    return other, _InPlaceOf.apply(other, leaf.data)


class _InPlaceOf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, leaf: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return values.data

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        return grad, None
