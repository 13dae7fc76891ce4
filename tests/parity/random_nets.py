"""Nets drawn at random, as cases: `draw_net(seed)`. Up to 15 layers of all types that can be chained.

    python -m tests.parity.random_nets --seeds 0 500       compare them with real Caffe; prints those that differ
    python -m tests.parity.random_nets --show 17           the prototxt of one

The rules of the layers are in `rules`. A rule keeps to what Caffe allows, most of the time; now and then one
does not, and then real Caffe's refusal is what is expected here as well.
"""

from __future__ import annotations

import argparse
import os
import sys

import numpy as np

from tests.cases.case import Case, net_case
from tests.parity.draft import MOST_LAYERS, Draft
from tests.parity.live import judge
from tests.parity.record import run_in_bvlc
from tests.parity.rules import LOSSES, RULES


def draw_net(seed: int) -> Case:
    draft = Draft(seed)
    for _ in range(draft.integer(1, 2)):
        axes = draft.choose([4, 4, 4, 4, 3, 2, 5])
        low, high = (2, 6) if axes == 4 else (1, 4)
        draft.input([draft.integer(1, 3), draft.integer(1, 4), *(draft.integer(low, high) for _ in range(axes - 2))])
    wanted = draft.integer(1, MOST_LAYERS - 2)
    weights = np.array([weight for _, weight in RULES], float)
    while len(draft.layers) < wanted:
        RULES[draft.rng.choice(len(RULES), p=weights / weights.sum())][0](draft)
    for _ in range(20):
        if (draft.forced or draft.has_loss) and draft.chance(0.6):
            break
        draft.choose(LOSSES)(draft)
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


def compare(seeds: range) -> dict[int, list[str]]:
    """Seed → what differs, for the nets that real Caffe and this one do not agree on."""
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
