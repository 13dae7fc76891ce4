"""The targets of this project: in one race, at most a certain share of a peer's time or memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.rows import BVLC, COMPILED, EAGER, EAGER_LAST, GRAPHS, ONNXRUNTIME, OPENVINO, RECORDED, SPARING, THIS
from benchmarks.varied import ALONE

Results = Mapping[str, Mapping[str, Any]]

OURS = (THIS.label, RECORDED.label, SPARING.label)
PYTORCH = (EAGER.label, EAGER_LAST.label)


@dataclass(frozen=True)
class Target:
    """In race `row`, this project's `quantity` is to be at most `factor` times that of the best of `peers`.

    peer_row: the race that the peers are in, where it is another.
    """

    row: str
    peers: tuple[str, ...]
    factor: float
    quantity: str = "median"
    peer_row: str = ""


@dataclass(frozen=True)
class Standing:
    """How it came out: the best peer, its value and ours."""

    target: Target
    peer: str
    theirs: float
    ours: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def reached(self) -> bool:
        return self.ratio <= self.target.factor


CPU = [
    Target("forward-fp32", (ONNXRUNTIME.label, OPENVINO.label), 0.6),
    Target("forward-bf16", (OPENVINO.label,), 0.85),
    Target("forward-bvlc", (BVLC.label,), 0.15),
    Target("train-fp32", PYTORCH, 0.45),
    Target("train-bvlc", (BVLC.label,), 0.2),
    Target("forward-bvlc", (BVLC.label,), 0.42, "peak_memory"),
    Target("train-bvlc", (BVLC.label,), 0.5, "peak_memory"),
    Target("startup", (BVLC.label,), 1.0, "load"),
    Target("startup", (BVLC.label,), 0.5, "load_alone"),
    Target("startup", (BVLC.label,), 1.0, "import"),
    Target("startup", (BVLC.label,), 1.0, "ready"),
    Target("varied", (THIS.label + ALONE,), 1.2),
]
CUDA = [
    *(
        Target(f"{task}-{precision}", (*PYTORCH, COMPILED.label, GRAPHS.label), 0.9)
        for task in ("forward", "train")
        for precision in ("fp32", "tf32", "bf16")
    ),
    Target("forward-bf16", ("floor bf16",), 1.5, peer_row="machine"),
    Target("varied", (THIS.label + ALONE,), 1.2),
]
TARGETS = {"cpu": CPU, "cuda": CUDA}


def standings(rows: Mapping[str, Mapping[str, Any]], device: str) -> list[Standing]:
    """Of the targets whose races were run, and in which both sides came through. rows: race → its record."""
    found = []
    for target in TARGETS[device]:
        ours = _values(rows, target.row, OURS, target.quantity)
        theirs = _values(rows, target.peer_row or target.row, target.peers, target.quantity)
        if ours and theirs:
            peer = min(theirs, key=lambda label: theirs[label])
            found.append(Standing(target, peer, theirs[peer], min(ours.values())))
    return found


def _values(
    rows: Mapping[str, Mapping[str, Any]], row: str, labels: tuple[str, ...], quantity: str
) -> dict[str, float]:
    results = rows.get(row, {}).get("results", {})
    return {label: results[label][quantity] for label in labels if quantity in results.get(label, {})}
