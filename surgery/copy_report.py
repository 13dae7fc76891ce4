"""What a surgery did, and what it left alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence


def dims(shape: Sequence[int]) -> str:
    """A shape in words: 4096×512×7×7."""
    return "×".join(map(str, shape)) or "scalar"


@dataclasses.dataclass
class Report:
    """Parameters are named layer[i]: i is 0 for the weights, 1 for the biases. Its text is one line per kind.

    copied      of one shape in both nets
    coerced     of one number of values but another shape, values in the same order
    dropped     in the source net, with no place in the target
    untouched   in the target net, with no source: still what they were
    zero        those of the untouched that hold nothing but zeros, and so learn nothing without a filler
    """

    copied: list[str] = dataclasses.field(default_factory=list)
    coerced: list[str] = dataclasses.field(default_factory=list)
    dropped: list[str] = dataclasses.field(default_factory=list)
    untouched: list[str] = dataclasses.field(default_factory=list)
    zero: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        untouched = [f"{name} (all zero)" if name in self.zero else name for name in self.untouched]
        kinds = {"copied": self.copied, "coerced": self.coerced, "dropped": self.dropped, "untouched": untouched}
        return "\n".join(f"{kind}: {_listed(names)}" for kind, names in kinds.items())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
