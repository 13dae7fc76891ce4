"""The mean over neighbouring channels, as local response normalisation takes it."""

import torch
import torch.nn.functional as F

from caffe import plan


def mean(x: torch.Tensor, size: int) -> torch.Tensor:
    """(N, C, H, W) → the same: at each channel, the sum of the `size` (odd) nearest ones, over `size`."""
    if plan.PLAIN:
        rows = x.flatten(2).unsqueeze(1)
        return F.avg_pool2d(rows, (size, 1), stride=1, padding=(size // 2, 0)).reshape(x.shape)
    return _by_slices(x, size)


def _by_slices(x: torch.Tensor, size: int) -> torch.Tensor:
    """Sums of slices: several times faster than torch's average pooling along the channels."""
    channels = x.shape[1]
    half = min(size // 2, channels)  # what is further away is beyond the first and the last channel
    padded = F.pad(x, (0, 0, 0, 0, half, half))
    total = padded.narrow(dim=1, start=0, length=channels)
    for start in range(1, 2 * half + 1):
        total = total + padded.narrow(dim=1, start=start, length=channels)
    return total / size
