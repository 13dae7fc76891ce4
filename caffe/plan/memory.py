"""Memory kept for the next layer.

Every large tensor that torch frees goes back to the system, and the next one is paid for anew, page by page: a third of
the time of a forward pass. glibc can be told to keep it. But what it keeps falls into pieces as images of many sizes
come by; so what lies unused is given back now and then.
"""

import contextlib
import ctypes
import math
import mmap
import os
import sys
from typing import Any

import torch

from caffe import plan

if sys.platform.startswith("linux"):
    import resource

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
GROWTH = 1.5
"""How much more memory than a pass needed is taken before what lies unused is given back."""
LEAST = 2**30
"""Bytes; less than that is left alone."""
LEAST_MAPPED = 2**21
"""Bytes; less than that has no mapping of its own."""
FIRST = 2
"""So many passes are watched before it is known what a pass needs: what is laid out once is freed in the first."""

_library: Any = None
_passes = _needed = 0
"""Since memory was last given back, and how many bytes the process had after the first of them."""


def keep() -> None:
    """Let the C library keep freed memory (glibc; elsewhere nothing happens)."""
    global _library
    if plan.PLAIN or not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, -1)
        _library = library


def lasting(*shape: int) -> torch.Tensor:
    """Memory for float32 values that stay for many passes, with any values."""
    found = mapped(*shape)
    return torch.empty(shape, dtype=torch.float32, device="cpu") if found is None else found


def mapped(*shape: int) -> torch.Tensor | None:
    """Float32 zeros in a mapping of their own; None for few, and where memory is not kept.

    So what comes and goes finds the heap in one piece. And they lie in large pages: page by page, the system takes up
    to ten times as long to give memory.
    """
    size = 4 * math.prod(shape)
    if _library is None or size < LEAST_MAPPED:
        return None
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return None
    with contextlib.suppress(OSError):  # a kernel without large pages
        pages.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(pages, dtype=torch.float32).view(shape)


def settle() -> None:
    """After a pass: give back what lies unused, if the process has grown much since that was last done."""
    global _passes, _needed
    if _library is None or 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < LEAST:
        return
    taken = resident()
    _passes += 1
    if _passes <= FIRST:
        _needed = max(LEAST, taken)
    elif taken > GROWTH * _needed:
        _library.malloc_trim(0)
        _passes = 0


def resident() -> int:
    """Bytes of memory that the process has."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
