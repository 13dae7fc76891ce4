"""The arguments of operations, as their ways see them."""

from dataclasses import dataclass, field

import torch

from caffe.ops.weight import Weight

Sizes = tuple[int, ...]
"""Of a window along rows and columns."""


@dataclass(frozen=True)
class ConvolutionCall:
    """(N, C, H, W) convolved with weights (O, C / group, h, w), and perhaps a bias (O) of x's type."""

    x: torch.Tensor
    weights: Weight
    bias: torch.Tensor | None
    stride: Sizes
    pad: Sizes
    dilation: Sizes
    group: int
    recorded: bool = field(default_factory=torch.is_grad_enabled)
    """Whether autograd will ask for gradients."""

    @property
    def weight(self) -> torch.Tensor:
        """The weights' values, whatever their type."""
        return self.weights.values


@dataclass(frozen=True)
class DeconvolutionCall(ConvolutionCall):
    """(N, C, H, W) convolved with the transpose of weights (C, O / group, h, w), and perhaps a bias (O)."""


@dataclass(frozen=True)
class MaxPooling:
    """The largest value of each window on (N, C, H, W)."""

    x: torch.Tensor
    kernel: Sizes
    stride: Sizes
    pad: Sizes
    ceil: bool
    """Whether a last window that begins within the map may hang over its edge."""

    @property
    def recorded(self) -> bool:
        """Whether autograd will ask for the gradient of x."""
        return self.x.requires_grad and torch.is_grad_enabled()


@dataclass(frozen=True)
class ChannelMean:
    """(N, C, …): at each channel, the sum over the `size` (odd) nearest ones, divided by `size`."""

    x: torch.Tensor
    size: int


@dataclass(frozen=True)
class ReluGradient:
    """The gradient of a ReLU's top, and that top."""

    grad: torch.Tensor
    top: torch.Tensor
