"""Settings of a process that make nets faster, which a library must not change in another program's process.

`import caffe` changes nothing of the process. The `caffe` command and the tools call `tune_process`; so may a program
that does little else than compute nets. It sets three things:

memory      glibc returns large blocks to the system as soon as they are freed, and the next layer must get them again,
            page by page. Here it keeps them; `settle` returns unused memory when there is much of it.
kernels     oneDNN caches the kernels that it compiled for a shape. Images of many sizes need more than its 1,024.
waiting     OpenMP's threads spin for some 20 ms while they wait, before they sleep. If other processes want the
            processor, nobody computes in these 20 ms. Less than a millisecond is as good.

The last two are read from environment variables, by torch when it is imported or first computes. Those that are set
already stay as they are.
"""

import ctypes
import os
import sys
from typing import Any

from caffe import switches

if sys.platform.startswith("linux"):
    import resource

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""mallopt's."""
KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
MOST_KERNELS = "4096"
WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
SPINS = "1000"
GROWTH = 1.5
"""How much more memory than a pass needed is taken before what lies unused is given back."""
LEAST = 2**30
"""Bytes; less than that is left alone."""
SPARE = 3 * 2**26
"""Bytes that may lie unused in a pass so long that what is freed in it counts, as of a large image in bands."""
FIRST = 2
"""So many passes are watched before it is known what a pass needs: what is laid out once is freed in the first."""

_library: Any = None
_passes = _needed = 0
"""Since memory was last given back, and how many bytes the process had after the first of them."""


def tune_process() -> None:
    """Set up the whole process for computing nets: memory that is freed is kept, waiting threads spin less.

    Not in BVLC Caffe. Call it before torch is imported (`import caffe` does not do that); later, only what can still be
    set is set. With CAFFE_PLAN=plain in the environment, and where the C library is not glibc, memory is left alone.
    """
    _default(KERNELS, MOST_KERNELS)
    if "torch" not in sys.modules:
        _default(WAITING, SPINS)
    _keep_memory()


def _default(names: tuple[str, ...], value: str) -> None:
    """Set the first environment variable, unless the user has set one of them."""
    if not any(name in os.environ for name in names):
        os.environ[names[0]] = value


def _keep_memory() -> None:
    global _library
    if switches.PLAIN or not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, -1)
        _library = library


def settle() -> None:
    """After a pass: give back what lies unused, if memory is kept and the process has grown much since then."""
    global _passes, _needed
    if _library is None or 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < LEAST:
        return
    taken = resident()
    _passes += 1
    if _passes <= FIRST:
        _needed = max(LEAST, taken)
    elif taken > GROWTH * _needed:
        give_back()
        _passes = 0


def settle_to(low: int) -> int:
    """In a long pass: give back what lies unused, if the process has grown by more than SPARE bytes since it had `low`.

    The number of bytes, without those of mapped files, to compare with the next time.
    """
    if _library is None:
        return low
    taken = resident(files=False)
    if taken <= low + SPARE:
        return min(low, taken)
    give_back()
    return resident(files=False)


def give_back() -> None:
    """Give back what lies unused, if memory is kept."""
    if _library is not None:
        _library.malloc_trim(0)


def resident(*, files: bool = True) -> int:
    """Bytes of memory that the process has; files: those of mapped files, too."""
    with open("/proc/self/statm", "rb") as file:
        _, pages, of_files, *_ = map(int, file.read().split())
    return (pages if files else pages - of_files) * os.sysconf("SC_PAGE_SIZE")
