"""Caffe's log of a training goes to a file; the terminal gets its warnings, and what the tools themselves say."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

FILE = "train.log"


class TrainingLog:
    """Keeps what is logged until `open` says where it is to be written.

    BVLC Caffe logs past Python, to stderr: there, nothing is kept.
    """

    def __init__(self, formatter: logging.Formatter | None):
        self._waiting: list[logging.LogRecord] = []
        self._formatter = formatter
        self._file: logging.FileHandler | None = None

    def keep(self, record: logging.LogRecord) -> bool:
        """Take in a record; it is always passed on."""
        if self._file is None:
            self._waiting.append(record)
        else:
            self._file.handle(record)
        return True

    def open(self, folder: Path, *, anew: bool) -> None:
        """Write to a file in `folder`: after what is there, or in its place."""
        if self._file is None:
            self._file = logging.FileHandler(folder / FILE, "w" if anew else "a", encoding="utf-8")
            self._file.setFormatter(self._formatter)
            for record in self._waiting:
                self._file.handle(record)
            self._waiting = []

    def close(self) -> None:
        """Close the log file."""
        if self._file is not None:
            self._file.close()


@contextlib.contextmanager
def training_log(verbose: bool) -> Iterator[TrainingLog]:
    """While it lasts, Caffe's log is kept; the terminal shows all of it if `verbose`, else its warnings."""
    logger = logging.getLogger("caffe")
    handlers = list(logger.handlers)
    log = TrainingLog(handlers[0].formatter if handlers else None)
    levels = [handler.level for handler in handlers]
    logger.addFilter(log.keep)
    for handler in [] if verbose else handlers:
        handler.setLevel(max(handler.level, logging.WARNING))
    try:
        yield log
    finally:
        logger.removeFilter(log.keep)
        for handler, level in zip(handlers, levels):
            handler.setLevel(level)
        log.close()
