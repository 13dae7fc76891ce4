"""Values limited to a range, with the gradient at its bounds that Caffe has; torch's differs between its releases."""

import torch


def clamped(x: torch.Tensor, low: float = -torch.inf, high: float = torch.inf) -> torch.Tensor:
    """max(low, min(high, x)), of the shape of x; the gradient is 1 within the range and at its bounds, elsewhere 0.

    NaN stays NaN, and has no gradient. If low is above high, all values become low.
    """
    return torch.where((x >= low) & (x <= high), x, x.detach().clamp(max=high).clamp(min=low))
