"""The two layouts of maps (N, C, H, W) in memory: one channel after the other, or the channels of a pixel side by side.

Moving from one to the other is a transposition of channels by pixels, for which torch has a kernel for matrices that
takes a third of the time of its general one.
"""

import torch


def is_side_by_side(x: torch.Tensor) -> bool:
    """Whether the channels of a pixel lie side by side, and not all the same one after the other."""
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def side_by_side(x: torch.Tensor) -> torch.Tensor:
    """The same values, (N, C, H, W), with the channels of a pixel side by side; x itself, if they are."""
    laid_out = x.is_contiguous(memory_format=torch.channels_last)
    if laid_out or not x.is_contiguous() or not x.is_cpu:
        return x.contiguous(memory_format=torch.channels_last)
    y = torch.empty_like(x, memory_format=torch.channels_last)
    for of_pixels, of_channels in zip(y.permute(0, 2, 3, 1).flatten(1, 2), x.flatten(2), strict=True):
        of_pixels.copy_(of_channels.t())
    return y


def laid_out_like(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The same values, laid out as those of another map of the same shape."""
    return side_by_side(x) if is_side_by_side(other) else x
