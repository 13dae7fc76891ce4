"""The peak rates of this machine: matrix products and memory traffic, measured briefly on the current device."""

from collections.abc import Callable

import torch

from caffe import device
from caffe.plan import matrix
from caffe.timer import Timer

ENOUGH_MS = 20.0
TRIALS = 5


def operations_per_second() -> tuple[float, int]:
    """Of a product of two square matrices in the current precision, and their size; larger ones are no faster."""
    size = 1024
    while True:
        a, b = (torch.rand(size, size, device=device.current()).to(device.factor_type()) for _ in range(2))
        ms = _best(lambda a=a, b=b: matrix.product(a, b))  # type: ignore[misc]
        if ms >= ENOUGH_MS or size >= 16384:
            return 2 * size**3 / ms * 1000, size
        size *= 2


def bytes_per_second() -> float:
    """Read and written by a copy of a tensor far larger than caches."""
    source = torch.rand(2**26, device=device.current())
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best(lambda: target.copy_(source)) * 1000


def _best(work: Callable[[], object]) -> float:
    """The least milliseconds of a few trials, after one that counts for nothing."""
    times = []
    for _ in range(1 + TRIALS):
        timer = Timer()
        timer.start()
        work()
        times.append(timer.ms)
    return min(times[1:])
