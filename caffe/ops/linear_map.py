"""A linear map whose gradient is its adjoint."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def apply_linear(values: Tensor, forward: Map, adjoint: Map) -> Tensor:
    """`forward(values)`, whose gradient is taken by `adjoint`; neither map is recorded by autograd."""
    return _Linear.apply(values, forward, adjoint)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, forward: Map, adjoint: Map) -> Tensor:
        ctx.maps = forward, adjoint
        return forward(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        forward, adjoint = ctx.maps
        return apply_linear(gradients[0], adjoint, forward), None, None
