"""Loading ahead: while the net computes, a worker thread loads the next images."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Feed(Generic[Item]):
    """The items of a sequence of indices, one current at a time, up to `ahead` more of them on their way.

    The order is the sequence's own, whatever the worker does, and an item that cannot be loaded raises when its turn
    has come. With ahead = 0 there is no thread. The thread starts with the first `advance` and ends with the feed.
    """

    def __init__(self, load: Callable[[int], Item], indices: Iterator[int], ahead: int):
        self._load = load
        self._indices = indices
        self._ahead = ahead
        self._worker: ThreadPoolExecutor | None = None
        self._coming: collections.deque[tuple[int, Future[Item]]] = collections.deque()
        self._future: Future[Item] | None = None
        self._item: Item | None = None
        self.index = next(indices)

    def current(self) -> Item:
        """The current item, loaded once however often it is asked for; after an error the next call tries again."""
        if self._item is None:
            future, self._future = self._future, None
            self._item = future.result() if future else self._load(self.index)
        return self._item

    def advance(self) -> None:
        """Make the next item current."""
        self._item = None
        if not self._ahead:
            self.index = next(self._indices)
            return
        if self._worker is None:
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="segdata")
        while len(self._coming) < self._ahead:
            index = next(self._indices)
            self._coming.append((index, self._worker.submit(self._load, index)))
        self.index, self._future = self._coming.popleft()
