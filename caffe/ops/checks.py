"""Checks of values, which are deferred while a pass is recorded for a GPU, because values cannot be read then."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

Check = tuple[torch.Tensor, Callable[[], None]]
"""Whether values are fine, as a tensor, and what raises an error if they are not."""

_here = threading.local()
"""`deferred`, while this thread defers checks: those so far."""


def defer(fine: torch.Tensor, complain: Callable[[], None]) -> bool:
    """While this thread defers checks: note this one.

    Returns whether it does; if not, the caller must look at `fine`.
    """
    deferred: list[Check] | None = getattr(_here, "deferred", None)
    if deferred is not None:
        deferred.append((fine, complain))
    return deferred is not None


@contextmanager
def deferring(checks: list[Check]) -> Iterator[None]:
    """While this lasts, checks of this thread's layers are added to a list, for the caller to look at later."""
    _here.deferred = checks
    try:
        yield
    finally:
        _here.deferred = None
