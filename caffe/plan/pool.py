"""The memory of a net's own activations, kept from pass to pass.

The large tensors that torch frees go back to the system, and the next pass has the memory mapped anew, page by page:
that takes a tenth of the time of a forward pass of FCN, and a seventh of a training step. So each net has a pool of
memory in large pages for its large maps. A piece returns to the pool when nobody holds its map any more: no blob, no
record for backward, no NumPy view. Pieces that a whole pass did not use are given back to the system.
"""

import mmap
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from caffe import switches
from caffe.device import mappings

LARGE_PAGE = 2**21
"""Bytes; smaller maps have torch's memory."""
SLACK = 2
"""A piece of memory is used for tensors of at least 1 / SLACK of its size."""

Watcher = Callable[[torch.Tensor, Sequence[int], torch.Tensor], None]

_here = threading.local()


class Pool:
    """Pieces of memory that belong to one net."""

    def __init__(self) -> None:
        self._free: list[mmap.mmap] = []
        self._served: set[int] = set()
        """By identity, the pieces that the present pass used."""
        self._held: dict[int, weakref.ref[np.ndarray]] = {}
        """By identity of a piece, the array that somebody holds; as long as that lives, the piece is not free."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While this lasts, the memory of large maps that the calling thread computes comes from here."""
        before = getattr(_here, "pool", None)
        _here.pool = self
        try:
            yield
        finally:
            _here.pool = before

    def begin_pass(self) -> None:
        """Give back to the system what nobody holds and the pass before did not use."""
        self._free = [pages for pages in self._free if id(pages) in self._served]
        self._served.clear()

    def empty(self, shape: Sequence[int], count: int) -> torch.Tensor | None:
        """An uninitialized float32 tensor of this many values; None if the system has no memory for it."""
        size = -(-4 * count // LARGE_PAGE) * LARGE_PAGE
        fitting = [pages for pages in self._free if size <= len(pages) <= SLACK * size]
        if fitting:
            pages = min(reversed(fitting), key=len)  # what was freed last may still be in the cache
            self._free.remove(pages)
        else:
            found = mappings.pages(size)
            if found is None:
                return None
            pages = found
        self._served.add(id(pages))
        array = np.frombuffer(pages, np.float32, count)
        self._held[id(pages)] = weakref.ref(array, partial(self._take_back, pages))
        return torch.from_numpy(array).view(tuple(shape))

    def _take_back(self, pages: mmap.mmap, _: object) -> None:
        del self._held[id(pages)]
        self._free.append(pages)


@contextmanager
def telling(watcher: Watcher) -> Iterator[None]:
    """While this lasts, watcher(x, shape, y) is told of each y that `empty_like` makes of a net's own memory."""
    _here.watcher = watcher
    try:
        yield
    finally:
        _here.watcher = None


def empty_like(x: torch.Tensor, *shape: int) -> torch.Tensor:
    """A tensor of x's type, on x's device, with any values: large ones in memory of the net that computes."""
    pool, count = getattr(_here, "pool", None), int(np.prod(shape))
    fits = x.is_cpu and x.dtype == torch.float32 and 4 * count >= LARGE_PAGE
    if pool is None or switches.PLAIN or not fits or not sys.platform.startswith("linux"):
        return x.new_empty(shape)
    found = pool.empty(shape, count)
    if found is None:
        return x.new_empty(shape)
    if watcher := getattr(_here, "watcher", None):
        watcher(x, shape, found)
    return found
