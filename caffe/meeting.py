"""Sums over processes that torchrun has started."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import distributed


@contextmanager
def entered() -> Iterator[None]:
    """Join the other processes at the meeting point that the environment names, and leave when all have ended."""
    distributed.init_process_group("gloo")
    try:
        yield
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def total(values: np.ndarray) -> np.ndarray:
    """The sum of the processes' arrays, which have one shape, in 64 bits."""
    summed = torch.from_numpy(np.array(values, np.float64 if values.dtype.kind == "f" else np.int64))
    distributed.all_reduce(summed)
    return summed.numpy()
