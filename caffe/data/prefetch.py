"""Batches made ahead of their use by one worker thread, in order (BasePrefetchingDataLayer); images by several."""

import itertools
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")

MOST_WORKERS = 8
MOST_AHEAD = 1024


class Prefetcher(Generic[T]):
    """Up to `depth` items of an endless iterator, made ahead; 0: each is made when it is asked for, without a thread.

    The thread starts with the first `next` and ends when this object is gone: it holds the iterator, never this object,
    so the iterator must not hold it either. An error in the iterator is raised by `next`, then and ever after.
    """

    def __init__(self, items: Iterator[T], depth: int):
        self._items = items if depth == 0 else None
        self._depth = depth
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._ready: SimpleQueue[T | Exception] = SimpleQueue()
        self._error: Exception | None = None
        stop = threading.Event()
        self._process: int | None = None
        """Where the thread was started."""
        self._thread = threading.Thread(target=_make, args=(items, self._wanted, self._ready, stop), daemon=True)
        self.close = weakref.finalize(self, _end, self._wanted, stop)
        """Ends the thread."""

    @property
    def lost(self) -> int | None:
        """The process that the thread is in, if it is another: this one is a fork of it, and has no such thread."""
        return self._process if self._process not in (None, os.getpid()) else None

    def next(self) -> T:
        if self._error is None:
            item = self._from_thread() if self._items is None else _item(self._items)
            if not isinstance(item, Exception):
                return item
            self._error = item
        raise self._error

    def _from_thread(self) -> T | Exception:
        if self._thread.ident is None:
            for _ in range(self._depth):
                self._wanted.put(None)
            self._thread.start()
            self._process = os.getpid()
        item = self._ready.get()
        self._wanted.put(None)
        return item


def _item(items: Iterator[T]) -> T | Exception:
    try:
        return next(items)
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the thread that asked for the batch
        return error


def _make(
    items: Iterator[T], wanted: "SimpleQueue[None]", ready: "SimpleQueue[T | Exception]", stop: threading.Event
) -> None:
    wanted.get()
    while not stop.is_set():
        item = _item(items)
        ready.put(item)
        if isinstance(item, Exception):
            return
        wanted.get()


def _end(wanted: "SimpleQueue[None]", stop: threading.Event) -> None:
    """May run inside the garbage collector, on any thread: takes no lock that a thread could hold at that moment."""
    stop.set()
    wanted.put(None)


def in_order(make: Callable[[T], U], items: Iterator[T], *, threads: bool) -> Iterator[U]:
    """make(item) for each of an endless iterator's items, in their order; with threads, several at the same time.

    An error is raised when its item's turn has come.
    """
    if not threads:
        yield from map(make, items)
        return
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        coming: deque[Future[U]] = deque(pool.submit(make, item) for item in itertools.islice(items, workers))
        for item in items:
            coming.append(pool.submit(make, item))
            yield coming.popleft().result()
