"""Memory that is kept for long, in mappings of its own.

The system takes up to ten times as long to give small pages as to give the same memory in large ones. And a heap
without what is kept for long does not get fragmented.
"""

import contextlib
import math
import mmap
import sys

import torch

from caffe import switches

MIN_BYTES = 2**21
"""Bytes; less than a large page is left to torch and NumPy."""


def lasting(*shape: int) -> torch.Tensor:
    """Memory for float32 values that are kept for many passes; it holds any values."""
    found = mapped(*shape)
    return torch.empty(shape, dtype=torch.float32, device="cpu") if found is None else found


def mapped(*shape: int) -> torch.Tensor | None:
    """float32 zeros in a mapping of their own; None for few, with CAFFE_PLAN=plain, and where there is no Linux."""
    size = 4 * math.prod(shape)
    if switches.PLAIN or not sys.platform.startswith("linux") or size < MIN_BYTES:
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
