"""The number of threads for a pass of a net, by its work, the available processors, and the user's settings.

On an idle machine a second thread pays from some milliseconds of work. On a busy one, threads that spin while they wait
for each other may take many times as long as one thread. OpenMP's threads spin for long by default (caffe/process.py);
then only nets with much more work get several threads.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import torch

from caffe import cpus, switches
from caffe.errors import UsageError

OPERATIONS, BYTES = 10**8, 10**7
"""Operations and bytes of a forward pass that are worth one more thread, if waiting threads sleep soon
(benchmarks/busy.py).
"""
AWAKE = 10
"""Times as much work for each thread, if waiting threads spin for long."""
BRIEF = 10_000  # spins of OpenMP's loop; some 0.1 ms
SPOKEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables with which the user sets the number of threads, whatever the quota."""

_wanted: int | None = None
_lock = threading.Lock()
_limiting = 0
"""The number of passes that are running with another number of threads than torch's."""
_outside = 1
"""Torch's number of threads while there is no such pass."""
_here = threading.local()


def set_threads(count: int | None) -> None:
    """Compute nets on the CPU with exactly this number of threads; None (the default): a number that fits net and
    machine.

    By default that is one for a small net, and at most torch.get_num_threads() for a large one, but no more than the
    affinity and the CPU quota of the process allow, unless OMP_NUM_THREADS is set, which overrides these limits. Not in
    BVLC Caffe. Raises UsageError for a count below 1.
    """
    global _wanted
    if count is not None and count < 1:
        raise UsageError(f"set_threads: {count} threads, expected at least 1, or None. Give such a number.")
    _wanted = count


def fitting(operations: int, size: int, most: int) -> int:
    """The number of threads, at most `most`, for a net whose forward pass has this many operations and bytes."""
    if switches.PLAIN:
        return most
    worth = 1 if _sleep_soon() else AWAKE
    return max(1, min(most, max(operations // (worth * OPERATIONS), size // (worth * BYTES))))


def allowed(torchs: int) -> int:
    """The largest number of threads allowed, if torch uses this many."""
    if any(os.environ.get(name) for name in SPOKEN):
        return torchs
    return min(torchs, cpus.available(_quota()))


@cache
def _sleep_soon() -> bool:
    """Whether OpenMP was set, before a net first ran, to let waiting threads sleep soon."""
    spins = os.environ.get("GOMP_SPINCOUNT", "")
    passive = os.environ.get("OMP_WAIT_POLICY", "").strip().lower() == "passive"
    return int(spins) <= BRIEF if spins.isascii() and spins.isdecimal() else passive


@cache
def _quota() -> float | None:
    return cpus.quota()


@contextmanager
def chosen(operations: int, size: int) -> Iterator[None]:
    """In this context, the calling thread computes with the number of threads for such a net."""
    global _limiting, _outside
    now = torch.get_num_threads()
    with _lock:
        if not _limiting:
            _outside = now
        elif not hasattr(_here, "met"):  # torch gave this thread the number of a pass that was under way
            now = _outside
        _here.met = True
    count = _wanted or fitting(operations, size, allowed(now))
    if count == torch.get_num_threads() == now:
        yield
        return
    with _lock:
        _limiting += 1
    process = os.getpid()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        if os.getpid() == process:
            torch.set_num_threads(now)
            with _lock:
                _limiting -= 1


def all_of_them() -> AbstractContextManager[None]:
    """In this context, the calling thread computes with as many threads as the largest net would get."""
    return chosen(sys.maxsize, sys.maxsize)


def _in_child() -> None:
    """A child of fork has the one thread that forked, whatever was wanted (see caffe/net/guard.py)."""
    global _wanted, _lock, _limiting
    _wanted, _lock, _limiting = None, threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
