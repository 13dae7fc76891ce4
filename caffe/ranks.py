"""The rank of this process among solvers that train together, and the records of a source that it reads.

The names are pycaffe's (src/caffe/common.cpp). Of n solvers, solver r takes the records r, r + n, r + 2n, …
"""

import itertools
import logging
from collections.abc import Iterator
from typing import TypeVar

from caffe.errors import UsageError
from caffe.log import log
from caffe.proto import caffe_pb2

T = TypeVar("T")

_count, _rank = 1, 0


def solver_count() -> int:
    """How many solvers train together."""
    return _count


def solver_rank() -> int:
    """Which of them this process is; 0 is the root, which logs, tests and saves."""
    return _rank


def set_solver_count(count: int) -> None:
    """How many solvers train together. Raises UsageError for less than 1."""
    global _count
    if count < 1:
        raise UsageError(f"set_solver_count({count}): at least 1 was expected. Give such a number.")
    _count = count


def set_solver_rank(rank: int) -> None:
    """Call this before the solver is made: its data layers read the records of this rank."""
    global _rank
    if rank < 0:
        raise UsageError(f"set_solver_rank({rank}): 0 to solver_count() - 1 was expected. Give such a number.")
    _rank = rank


def set_multiprocess(multiprocess: bool) -> None:
    """Ignored: each solver always has its own process."""


def shared_out(records: Iterator[T], phase: int, seen: int = 0) -> Iterator[T]:
    """Those of a source's records that this solver takes; all of them in phase TEST, where the root works alone.

    seen: how many records there were before these.
    """
    return records if phase == caffe_pb2.TEST else itertools.islice(records, (_rank - seen) % _count, None, _count)


def _root_or_urgent(record: logging.LogRecord) -> bool:
    return _rank == 0 or record.levelno > logging.INFO


log.logger.addFilter(_root_or_urgent)
