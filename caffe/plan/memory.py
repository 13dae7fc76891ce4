"""Memory kept for the next layer.

Every large tensor that torch frees goes back to the system, and the next one is paid for anew, page by page: a third of
the time of a forward pass. glibc can be told to keep it.
"""

import ctypes
import sys

from caffe import plan

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep() -> None:
    """Let the C library keep freed memory (glibc; elsewhere nothing happens)."""
    if plan.PLAIN or not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
