"""Memory that lasts, in mappings of its own.

Page by page, the system takes up to ten times as long to give memory as in large pages; and what comes and goes finds
the heap in one piece where that which stays lies elsewhere.
"""

import contextlib
import math
import mmap
import sys

import torch

from caffe import switches

LEAST_MAPPED = 2**21
"""Bytes; less than that has no mapping of its own."""


def lasting(*shape: int) -> torch.Tensor:
    """Memory for float32 values that stay for many passes, with any values."""
    found = mapped(*shape)
    return torch.empty(shape, dtype=torch.float32, device="cpu") if found is None else found


def mapped(*shape: int) -> torch.Tensor | None:
    """Float32 zeros in a mapping of their own; None for few, without the plan, and where the system is not Linux."""
    size = 4 * math.prod(shape)
    if switches.PLAIN or not sys.platform.startswith("linux") or size < LEAST_MAPPED:
        return None
    found = pages(size)
    return None if found is None else torch.frombuffer(found, dtype=torch.float32).view(shape)


def pages(size: int) -> mmap.mmap | None:
    """So many bytes of zeros in a mapping of their own, on Linux; None if the system has no memory left."""
    try:
        found = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return None
    with contextlib.suppress(OSError):  # a kernel without large pages
        found.madvise(mmap.MADV_HUGEPAGE)
    return found
