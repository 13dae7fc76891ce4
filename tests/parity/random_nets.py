"""Nets drawn at random, as cases: `draw_net(seed)`. Up to 15 layers of all types that can be chained.

    python -m tests.parity.random_nets --seeds 0 500       compare them with real Caffe; prints those that differ
    python -m tests.parity.random_nets --show 17           the prototxt of one

The rules of the layers are in `random_layers`. A rule keeps to what Caffe allows, most of the time; now and then one
does not, and then real Caffe's refusal is what is expected here as well.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from dataclasses import dataclass

import numpy as np

from tests.cases.case import Case, input_layer, layer, net_case

MOST_LAYERS = 15
MOST_VALUES = 300


WITH_PARAMETERS = {"Convolution", "Deconvolution", "InnerProduct", "Scale", "Bias", "BatchNorm", "PReLU", "Embed"}
WITH_PARAMETERS |= {"RNN", "LSTM", "Parameter"}
SHARING = {"Reshape", "RNN", "LSTM", "Parameter"}


@dataclass
class DraftLayer:
    bottoms: list[str]
    tops: list[str]
    propagate_down: list[bool]
    is_loss: bool
    runs_backward: bool


class Draft:
    """A net as far as it is written: its lines, and the shapes of its blobs."""

    def __init__(self, seed: int):
        self.rng = np.random.RandomState(seed)
        self.lines: list[str] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.uses: dict[str, int] = {}
        self.kinds: dict[str, str] = {}
        self.params: dict[str, list[str]] = {}
        self.may_be_overwritten: set[str] = set()
        self.overwritten: set[str] = set()
        self.shared: set[str] = set()  # their diff is the memory of another blob's
        self.floats: set[str] = set()  # blobs a layer may be put on: not labels and the like
        self.layers: list[DraftLayer] = []
        self.needs: set[str] = set()  # blobs that need a gradient
        self.has_loss = False
        self.forced = self.chance(0.6)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random_sample() < probability)

    def integer(self, low: int, high: int) -> int:
        """low ≤ result ≤ high"""
        return int(self.rng.randint(low, high + 1))

    def choose(self, options):
        return options[self.rng.randint(len(options))]

    def number(self, low: float, high: float) -> str:
        return f"{self.rng.uniform(low, high):.3g}"

    def input(self, shape, kind: str = "normal") -> str:
        """A new Input layer; its blob can be picked only if it is of the default kind."""
        name = f"in{sum('Input' in line for line in self.lines)}"
        self.lines.append(input_layer(name, shape))
        self.shapes[name] = tuple(shape)
        self.uses[name] = 0
        if kind == "normal":
            self.floats.add(name)
        else:
            self.kinds[name] = kind
        return name

    def pick(self, allowed=lambda shape: True, but=()) -> str | None:
        """A blob (no scalar) whose shape is allowed; rather an unused and recent one."""
        candidates = self.floats.difference(but)
        names = [name for name, shape in self.shapes.items() if name in candidates and shape and allowed(shape)]
        if not names:
            return None
        weights = np.array([(1.0 if self.uses[name] else 6.0) * (1 + i) for i, name in enumerate(names)])
        return str(self.rng.choice(names, p=weights / weights.sum()))

    def add(self, type: str, bottoms: list[str], tops: list[tuple], body: str = "", params=None, **how) -> list[str]:
        """Append a layer; the names of its tops. how: in_place (may write over its bottom), keeps (a later
        write over its top, since its own backward pass does not look at it), dead (no layer may follow), loss."""
        name = f"l{len(self.layers) + 1}"
        propagate = [self.chance(0.5) for _ in bottoms] if not self.forced and self.chance(0.03) else []
        free = bottoms and bottoms[0] in self.may_be_overwritten and (not self.uses[bottoms[0]] or self.chance(0.03))
        free = free and (self.forced or bottoms[0] in self.needs)
        in_place = how.get("in_place") and free and not propagate and self.chance(0.6)
        names = [bottoms[0]] if in_place else [f"{name}_{i}" for i in range(len(tops))]
        body += "".join(f" propagate_down: {str(wanted).lower()}" for wanted in propagate)
        self.lines.append(layer(name, type, bottoms, names, body))
        if type in SHARING or (type == "Concat" and len(bottoms) == 1):
            self.shared.update(names)
        if in_place:
            self.overwritten.add(bottoms[0])
        is_loss = how.get("loss", "loss_weight" in body)
        given = type in ("Scale", "Bias") and len(bottoms) == 2 and "bias_term" not in body
        fixed = "lr_mult: 0" in body and "bias_term: false" in body
        learns = type in WITH_PARAMETERS and not given and not fixed
        wanted = propagate or [bottom in self.needs for bottom in bottoms]
        runs_backward = learns or not self.needs.isdisjoint(bottoms)
        if runs_backward:
            self.needs.update(names)
        self.layers.append(DraftLayer(bottoms, names, wanted, is_loss, runs_backward))
        for bottom in bottoms:
            self.uses[bottom] += not in_place
        for top, shape in zip(names, tops, strict=True):
            self.shapes[top] = tuple(shape)
            self.uses.setdefault(top, 0)
            (self.floats.discard if how.get("dead") else self.floats.add)(top)
            (self.may_be_overwritten.add if how.get("keeps") else self.may_be_overwritten.discard)(top)
        if params:
            self.params[name] = list(params)
        return names

    def without_gradient(self) -> list[str]:
        """The blobs (and splits of them) that no gradient flows into: real Caffe has scratch numbers in their diffs."""
        if self.forced:
            return []
        reached: set[str] = set()
        for drawn in reversed(self.layers):
            if drawn.runs_backward and (drawn.is_loss or reached.intersection(drawn.tops)):
                reached.update(itertools.compress(drawn.bottoms, drawn.propagate_down))
        return [pattern for name in self.shapes if name not in reached for pattern in (name, f"{name}_*_split_*")]

    def fits(self, *shapes) -> bool:
        return all(min(shape, default=1) > 0 and np.prod(shape, dtype=int) <= MOST_VALUES for shape in shapes)


def draw_net(seed: int) -> Case:
    from tests.parity.random_layers import LOSSES, RULES

    draft = Draft(seed)
    for _ in range(draft.integer(1, 2)):
        sizes = draft.choose([4, 4, 4, 4, 3, 2, 5])
        draft.input(
            [draft.integer(1, 3), *(draft.integer(1, 4) for _ in range(sizes - 1))]
            if sizes != 4
            else [draft.integer(1, 3), draft.integer(1, 4), draft.integer(2, 6), draft.integer(2, 6)]
        )
    wanted = draft.integer(1, MOST_LAYERS - 2)
    weights = np.array([weight for _, weight in RULES], float)
    while len(draft.layers) < wanted:
        RULES[draft.rng.choice(len(RULES), p=weights / weights.sum())][0](draft)
    tries = 0
    while tries < 20 and (draft.chance(0.4) if draft.forced or draft.has_loss else True):
        draft.choose(LOSSES)(draft)
        tries += 1
    return net_case(
        f"random net {seed}",
        "\n".join(draft.lines) + "\n",
        kinds=draft.kinds,
        params=draft.params,
        force_backward=draft.forced,
        phase="TEST" if draft.chance(0.15) else "TRAIN",
        forward_tolerance=1e-4,
        gradient_tolerance=1e-3,
        unlike=[f"diff/{name}" for name in draft.without_gradient()],
        reason="rounding adds up over the layers; no gradient flows into these blobs",
    )


def compare(seeds: range, progress: bool = True) -> dict[int, list[str]]:
    """Seed → what differs, for the nets that real Caffe and this one do not agree on."""
    from tests.parity.live import judge
    from tests.parity.record import run_in_bvlc

    cases = [draw_net(seed) for seed in seeds]
    verdicts = {seed: judge(case, result) for seed, case, result in zip(seeds, cases, run_in_bvlc(cases), strict=True)}
    return {seed: lines for seed, lines in verdicts.items() if lines}


def main() -> int:
    parser = argparse.ArgumentParser(description="Random nets, here and in real Caffe.")
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 500), metavar=("FIRST", "END"))
    parser.add_argument("--show", type=int, metavar="SEED", help="print one net")
    arguments = parser.parse_args()
    os.environ.setdefault("GLOG_minloglevel", "2")
    if arguments.show is not None:
        print(draw_net(arguments.show).prototxt())
        return 0
    wrong = compare(range(*arguments.seeds))
    for seed, lines in wrong.items():
        print(f"random net {seed}:", *lines[:4], sep="\n    ")
    print(f"{arguments.seeds[1] - arguments.seeds[0]} nets, {len(wrong)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
