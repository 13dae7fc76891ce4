"""How often what came of inputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.faults import verdict
from tests.faults.verdict import Verdict

COLUMNS = (verdict.READ, verdict.REFUSED, *verdict.FAULTS)


@dataclass
class Tally:
    """Counts for one kind of file."""

    kinds: Counter[str] = field(default_factory=Counter)
    _places: set[tuple[str, str]] = field(default_factory=set)

    def count(self, found: Verdict) -> bool:
        """Count a verdict; whether it is a fault of a kind and at a place that was not there before."""
        self.kinds[found.kind] += 1
        key = (found.kind, found.place)
        new = found.kind in verdict.FAULTS and (not found.place or key not in self._places)
        self._places.add(key)
        return new

    @property
    def faults(self) -> int:
        return sum(self.kinds[kind] for kind in verdict.FAULTS)


def table(tally: dict[str, Tally]) -> str:
    """A line for each kind of file, and one for all."""
    total = Tally(sum((each.kinds for each in tally.values()), Counter()))
    rows = [("", "inputs", *COLUMNS)]
    for name, each in (*tally.items(), ("all", total)):
        rows.append((name, str(each.kinds.total()), *(str(each.kinds[kind]) for kind in COLUMNS)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
