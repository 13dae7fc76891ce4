"""The mean over neighbouring channels, as local response normalisation takes it, by sums of slices."""

import torch
import torch.nn.functional as F

from caffe.ops.calls import ChannelMean


def mean(c: ChannelMean) -> torch.Tensor:
    """Several times faster than torch's average pooling along the channels."""
    channels = c.x.shape[1]
    half = min(c.size // 2, channels)  # what is further away is beyond the first and the last channel
    padded = F.pad(c.x, (0, 0, 0, 0, half, half))
    total = padded.narrow(dim=1, start=0, length=channels)
    for start in range(1, 2 * half + 1):
        total = total + padded.narrow(dim=1, start=start, length=channels)
    return total / c.size
