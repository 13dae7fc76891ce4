"""How many threads a pass of a net takes: by its work, by the processors that are there, and as the user says.

On an idle machine a second thread pays from some milliseconds of work. On a busy one, threads that wait for each other
awake may take many times as long as one thread: a process whose threads wait awake for long, as OpenMP's do unless it
is told otherwise (caffe/process.py), shares only work that is worth that risk.
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
"""Of a forward pass: what is worth a thread, where threads that wait go to sleep soon (benchmarks/busy.py)."""
AWAKE = 10
"""Times as much, where they wait awake."""
BRIEF = 10_000  # spins of OpenMP's loop; some 0.1 ms
SPOKEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables by which the user says how many threads there are, whatever the quota."""

_wanted: int | None = None
_lock = threading.Lock()
_limiting = 0
"""How many passes are under way with another number of threads than torch's."""
_outside = 1
"""Torch's number where none is."""
_here = threading.local()


def set_threads(count: int | None) -> None:
    """Compute nets on the CPU with exactly so many threads; None (the default): with as many as fit net and machine.

    By default that is one for a small net, and at most torch.get_num_threads() for a large one, but no more than the
    affinity and the CPU quota of the process allow, unless OMP_NUM_THREADS is set: that is taken at its word. Not in
    BVLC Caffe. Raises UsageError for a count below 1.
    """
    global _wanted
    if count is not None and count < 1:
        raise UsageError(f"set_threads: {count} threads, expected at least 1, or None. Give such a number.")
    _wanted = count


def fitting(operations: int, size: int, most: int) -> int:
    """How many threads (at most so many) a net is worth, whose forward pass computes and moves so much."""
    if switches.PLAIN:
        return most
    worth = 1 if _sleep_soon() else AWAKE
    return max(1, min(most, max(operations // (worth * OPERATIONS), size // (worth * BYTES))))


def allowed(torchs: int) -> int:
    """How many threads there may be, where torch has so many."""
    if any(os.environ.get(name) for name in SPOKEN):
        return torchs
    return min(torchs, cpus.available(_quota()))


@cache
def _sleep_soon() -> bool:
    """Whether OpenMP was told, by the time that a net first ran, to let threads that wait sleep soon."""
    spins = os.environ.get("GOMP_SPINCOUNT", "")
    passive = os.environ.get("OMP_WAIT_POLICY", "").strip().lower() == "passive"
    return int(spins) <= BRIEF if spins.isascii() and spins.isdecimal() else passive


@cache
def _quota() -> float | None:
    return cpus.quota()


@contextmanager
def chosen(operations: int, size: int) -> Iterator[None]:
    """While this lasts, the calling thread computes with the threads that such a net is worth."""
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
    """While this lasts, the calling thread computes with as many threads as the largest net is worth."""
    return chosen(sys.maxsize, sys.maxsize)


def _in_child() -> None:
    """A child of fork has the one thread that forked, whatever was wanted (see caffe/net/guard.py)."""
    global _wanted, _lock, _limiting
    _wanted, _lock, _limiting = None, threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
