"""Progress of long work: a bar on a terminal, otherwise a line from time to time."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

SECONDS_BETWEEN_LINES = 30.0
BYTES = "B"
UNKNOWN_SIZE = {"ncols": 80, "nrows": 24}


@contextlib.contextmanager
def progress(title: str, unit: str, total: int, done: int = 0, *, lines: bool = True) -> Iterator[Callable[..., None]]:
    """Gives a function to call after each of `total` units, of which some may be done already. A text that it is given
    stands behind the bar; `by` is how many units are done at once.

    unit: BYTES for bytes, which are told in kB, MB and GB.

    While the bar is there (on a terminal, with tqdm), everything that Python prints appears above it. lines: without a
    bar, a line from time to time.
    """
    bar = _bar(title, unit, total, done)
    if bar is None:
        yield _Lines(title, unit, total, done) if lines else lambda text="", by=1: None
        return

    def advance(text: str = "", by: int = 1) -> None:
        if text:
            bar.set_postfix_str(text, refresh=False)
        bar.update(by)

    from tqdm.contrib import DummyTqdmFile

    above: list[Any] = [DummyTqdmFile(sys.stderr), DummyTqdmFile(sys.stdout)]
    with bar, contextlib.redirect_stderr(above[0]), contextlib.redirect_stdout(above[1]):
        yield advance


def _bar(title: str, unit: str, total: int, done: int) -> Any:
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    shown: dict[str, Any] = {"unit": BYTES, "unit_scale": True} if unit == BYTES else {"unit": f" {unit}"}
    return tqdm(desc=title, **shown, **_size(), total=total or None, initial=done, file=sys.stderr)


def _size() -> dict[str, Any]:
    """The terminal's, whatever becomes of it; some of containers and of `script` say that they have no columns."""
    try:
        unknown = os.get_terminal_size(sys.stderr.fileno()).columns == 0
    except (OSError, ValueError):
        unknown = False
    return UNKNOWN_SIZE if unknown else {"dynamic_ncols": True}


class _Lines:
    def __init__(self, title: str, unit: str, total: int, done: int):
        self.title, self.unit, self.total, self.done = title, unit, total, done
        self.last = time.monotonic()

    def __call__(self, text: str = "", by: int = 1) -> None:
        self.done += by
        if time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            print(f"{self.title}: {self._so_far()}", file=sys.stderr, flush=True)

    def _so_far(self) -> str:
        if self.unit == BYTES:
            return f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB"
        return f"{self.done} of {self.total} {self.unit}"
