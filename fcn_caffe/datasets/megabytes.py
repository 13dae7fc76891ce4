"""Progress of what is measured in bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from fcn_caffe.progress import progress


@contextlib.contextmanager
def megabytes(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with the number of bytes, of `total`, that are done so far."""
    shown = done >> 20
    with progress(title, "MB", total >> 20, shown) as advance:

        def reach(now: int) -> None:
            nonlocal shown
            while shown < now >> 20:
                shown += 1
                advance()

        yield reach
