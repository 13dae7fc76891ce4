"""Divides work among the processes that torchrun has started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from fcn_caffe import engine

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """The place of this process: number `rank` of `count`, and number `local` of those on this machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process reports and writes the results of all."""
        return self.rank == 0

    def own(self, things: Sequence[T]) -> Sequence[T]:
        """The items of this process."""
        return things[self.rank :: self.count]

    def summed(self, values: np.ndarray) -> np.ndarray:
        """The sum over all processes of arrays of one shape, in 64 bits."""
        if self.count == 1:
            return values
        from caffe import meeting

        return meeting.total(values)

    def gathered(self, text: str) -> list[str]:
        """The texts of all processes, in order."""
        content = np.frombuffer(text.encode(), np.uint8)
        lengths = np.zeros(self.count, np.int64)
        lengths[self.rank] = len(content)
        lengths = self.summed(lengths)
        contents = np.zeros((self.count, max(int(lengths.max()), 1)), np.int64)
        contents[self.rank, : len(content)] = content
        return [row[:length].astype(np.uint8).tobytes().decode() for row, length in zip(self.summed(contents), lengths)]


ALONE = Share()


@contextlib.contextmanager
def together() -> Iterator[Share]:
    """The place of this process among those that torchrun has started, and that meet here; alone without torchrun."""
    share = _place()
    if share.count == 1:
        yield share
        return
    engine.needs(f"one of {share.count} processes", "Run it alone, without torchrun.")
    from caffe import meeting

    with meeting.entered():
        yield share


def _place() -> Share:
    """Raises ValueError for a place that there is not."""
    values = [os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1"), os.environ.get("LOCAL_RANK", "0")]
    if not all(value.isdecimal() for value in values) or int(values[0]) >= int(values[1]):
        raise ValueError(
            f"RANK, WORLD_SIZE and LOCAL_RANK are {', '.join(values)} in the environment, expected what torchrun sets. "
            "Unset them, or start the command by torchrun."
        )
    return Share(*map(int, values))
