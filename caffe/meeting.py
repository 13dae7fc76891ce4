"""Processes that torchrun has started, which add up what each of them has counted."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import distributed


@contextmanager
def entered() -> Iterator[None]:
    """Meet the others, as the environment says where, and part from them when all have come to the end."""
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
