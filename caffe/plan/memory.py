"""Memory kept for the next layer.

Every large tensor that torch frees goes back to the system, and the next one is paid for anew, page by page: a third of
the time of a forward pass. glibc can be told to keep it. But what it keeps falls into pieces as images of many sizes
come by; so what lies unused is given back now and then.
"""

import ctypes
import os
import sys
from typing import Any

from caffe import plan

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
GROWTH = 1.5
"""How much more memory than a pass needed is taken before what lies unused is given back."""
LEAST = 2**30
"""Bytes; less than that is left alone."""
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


def settle() -> None:
    """After a pass: give back what lies unused, if the process has grown much since that was last done."""
    global _passes, _needed
    if _library is None:
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
