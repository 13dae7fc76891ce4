"""The mean of the last losses (Solver::UpdateSmoothedLoss, src/caffe/solver.cpp)."""

import torch

from caffe import device


class SmoothedLoss:
    """A mean over a sliding window, in float32 and without waiting for the device."""

    def __init__(self, iteration: int = 0):
        """iteration: the first whose loss it gets."""
        self._first = iteration
        self._losses: list[torch.Tensor] = []
        self._mean = device.zero()

    def add(self, loss: torch.Tensor, iteration: int, window: int) -> None:
        """Take in an iteration's loss."""
        if len(self._losses) < window:
            self._losses.append(loss)
            size = len(self._losses)
            self._mean = (self._mean * (size - 1) + loss) / size
        else:
            oldest = (iteration - self._first) % window
            self._mean = self._mean + (loss - self._losses[oldest]) / window
            self._losses[oldest] = loss

    def __float__(self) -> float:
        return float(self._mean)
