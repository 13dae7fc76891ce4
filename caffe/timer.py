"""Timer: milliseconds between start and stop, once the device has done its work (src/caffe/util/benchmark.cpp)."""

import time

import torch

from caffe import device


class Timer:
    """start(), stop(), and `ms`; reading `ms` stops a running timer."""

    def __init__(self) -> None:
        self._started = 0.0
        self._elapsed = 0.0
        self._running = False

    def start(self) -> None:
        """Begin to measure; nothing if it is measuring."""
        if not self._running:
            self._started, self._running = _now(), True

    def stop(self) -> None:
        """Stop measuring; nothing if it is not."""
        if self._running:
            self._elapsed, self._running = _now() - self._started, False

    @property
    def ms(self) -> float:
        """Milliseconds from start to stop; stops a running timer."""
        self.stop()
        return self._elapsed * 1000


def _now() -> float:
    if device.mode_is_gpu():
        torch.cuda.synchronize(device.current())
    return time.perf_counter()
