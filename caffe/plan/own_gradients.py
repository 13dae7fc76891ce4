"""A convolution that torch computes, and whose gradients are computed in another way."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

Pad = Sequence[int]
Gradient = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Pad], torch.Tensor]
"""Of the top's gradient, the weights, the bottom and the pad."""


def convolve(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, pad: Pad, to_bottom: Gradient, to_weight: Gradient
) -> torch.Tensor:
    """(N, C, H, W) convolved with (O, C, h, w), as F.conv2d; the functions give the gradients of x and weight."""
    return _Convolve.apply(x, weight, bias, tuple(pad), to_bottom, to_weight)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, *settings: Any) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.settings = settings
        return F.conv2d(x, weight, bias, padding=settings[0])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        (x, weight), (pad, to_bottom, to_weight) = ctx.saved_tensors, ctx.settings
        return (
            to_bottom(grad, weight, x, pad) if ctx.needs_input_grad[0] else None,
            to_weight(grad, weight, x, pad) if ctx.needs_input_grad[1] else None,
            grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None,
            *[None] * len(ctx.settings),
        )
