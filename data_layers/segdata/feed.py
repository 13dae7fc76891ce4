"""Loading ahead: while the net computes, a worker thread loads the next images."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Feed(Generic[Key, Item]):
    """The items of a sequence of keys, one current at a time, up to `ahead` more of them on their way.

    The order is the sequence's own, whatever the worker does, and an item that cannot be loaded raises when its turn
    has come. With ahead = 0 there is no thread. The thread starts with the first `advance` and ends with the feed.
    """

    def __init__(self, load: Callable[[Key], Item], keys: Iterator[Key], ahead: int):
        self._load = load
        self._keys = keys
        self._ahead = ahead
        self._worker: ThreadPoolExecutor | None = None
        self._process = 0
        self._coming: collections.deque[tuple[Key, Future[Item]]] = collections.deque()
        self._future: Future[Item] | None = None
        self._item: Item | None = None
        self.key = next(keys)

    def current(self) -> Item:
        """The current item, loaded once however often it is asked for; after an error the next call tries again.

        Raises RuntimeError in a fork of the process that began to load ahead.
        """
        self._check_process()
        if self._item is None:
            future, self._future = self._future, None
            self._item = future.result() if future else self._load(self.key)
        return self._item

    def _check_process(self) -> None:
        if self._worker and self._process != os.getpid():
            raise RuntimeError(
                f"images are loaded ahead by a thread of process {self._process}, and this process, a fork of that "
                "one, has no such thread. Build the net in the child; or start the child by "
                "multiprocessing.get_context('spawn'); or set prefetch to 0 in param_str, which needs no thread."
            )

    def advance(self) -> None:
        """Make the next item current."""
        self._check_process()
        self._item = None
        if not self._ahead:
            self.key = next(self._keys)
            return
        if self._worker is None:
            self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="segdata")
            self._process = os.getpid()
        while len(self._coming) < self._ahead:
            key = next(self._keys)
            self._coming.append((key, self._worker.submit(self._load, key)))
        self.key, self._future = self._coming.popleft()
