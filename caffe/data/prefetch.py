"""Batches made ahead of their use by one worker thread, in order (BasePrefetchingDataLayer)."""

import threading
import weakref
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Up to `depth` items of an endless iterator, made ahead.

    The thread starts with the first `next` and ends when this object is gone: it holds the iterator, never this object,
    so the iterator must not hold it either. An error in the iterator is raised by `next`, then and ever after.
    """

    def __init__(self, items: Iterator[T], depth: int):
        self._depth = max(1, depth)
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._ready: SimpleQueue[T | Exception] = SimpleQueue()
        self._error: Exception | None = None
        stop = threading.Event()
        self._thread = threading.Thread(target=_make, args=(items, self._wanted, self._ready, stop), daemon=True)
        self.close = weakref.finalize(self, _end, self._wanted, stop)
        """Ends the thread."""

    def next(self) -> T:
        if self._thread.ident is None:
            for _ in range(self._depth):
                self._wanted.put(None)
            self._thread.start()
        if self._error is None:
            item = self._ready.get()
            if not isinstance(item, Exception):
                self._wanted.put(None)
                return item
            self._error = item
        raise self._error


def _make(
    items: Iterator[T], wanted: "SimpleQueue[None]", ready: "SimpleQueue[T | Exception]", stop: threading.Event
) -> None:
    try:
        wanted.get()
        while not stop.is_set():
            ready.put(next(items))
            wanted.get()
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the thread that asked for the batch
        ready.put(error)


def _end(wanted: "SimpleQueue[None]", stop: threading.Event) -> None:
    """May run inside the garbage collector, on any thread: takes no lock that a thread could hold at that moment."""
    stop.set()
    wanted.put(None)
