"""The gain of skips: scores of stages and single streams that were trained here, beside the published ones.

    python -m analyses skips                    every variant that has scores
    python -m analyses skips demo voc7          those of some data sets

Ours are the last of snapshot/VARIANT/scores.json, which fcn solve writes; `gain` is the difference in mean IU from the
stage that it started from. The published ones are of VGG16 on PASCAL VOC's seg11valid (PAMI 2016), for the net of the
same stride: if data or trunk differ, compare only the gains.
"""

from __future__ import annotations

import re

from fcn_caffe import program
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.training.score_history import read_scores
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import everything

KEYS = ("pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu")

PUBLISHED = {
    "32s-fixed": (82.9, 64.6, 46.6, 72.3),
    "pool5": (87.4, 60.5, 50.0, 78.5),
    "pool4": (78.7, 31.7, 22.4, 67.0),
    "pool3": (70.9, 13.7, 9.2, 57.6),
    "32s": (90.5, 76.5, 63.6, 83.5),
    "16s": (91.0, 78.1, 65.0, 84.3),
    "8s-atonce": (91.1, 78.5, 65.4, 84.4),
    "8s": (91.2, 77.6, 65.5, 84.5),
}
"""Pixel accuracy, mean accuracy, mean IU and frequency weighted IU, in percent."""


def form(row: Variant) -> str:
    """What kind of net a variant is: its stride, or the single stream that it scores, and how it learns."""
    stream = re.search(r"-(pool\d)$", row.name)
    return stream[1] if stream else f"{row.stride}s" + "-fixed" * bool(row.learns) + "-atonce" * row.at_once


def last_scores(row: Variant) -> dict[str, float] | None:
    """The four metrics that the variant's training ended with, in percent; None without a scored training."""
    scores = read_scores(stages.SNAPSHOTS / row.name)
    return {key: 100 * scores[-1][row.data.heads[0].label][key] for key in KEYS} if scores else None


def table(rows: dict[str, Variant], families: list[str]) -> str:
    """The variants of some data sets, or of all. Raises ValueError if none of them has scores."""
    metric = f"{'pixel':>6} {'mean':>6} {'mean':>6} {'f.w.':>6}", f"{'acc.':>6} {'acc.':>6} {'IU':>6} {'IU':>6}"
    lines = [f"{'':34} {metric[0]} {'':>6}   published", f"{'variant':34} {metric[1]} {'gain':>6}   {metric[1]}"]
    for name, row in rows.items():
        found = last_scores(row)
        if found is None or (families and name.split("-", 1)[0] not in families):
            continue
        before = last_scores(rows[row.starts[0]]) if row.starts[0] in rows else None
        gain = f"{found['mean_iu'] - before['mean_iu']:+.1f}" if before else ""
        ours = " ".join(f"{found[key]:6.1f}" for key in KEYS)
        theirs = " ".join(f"{value:6.1f}" for value in PUBLISHED.get(form(row), ()))
        lines.append(f"{name:34} {ours} {gain:>6}   {theirs}".rstrip())
    if len(lines) == 2:
        raise ValueError(
            f"no variant of {', '.join(families) or 'the catalogue'} has scores in '{stages.SNAPSHOTS}', expected at "
            "least one. Train it: `fcn solve VARIANT`."
        )
    return "\n".join(lines)


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("families", nargs="*", help="the first part of variants' names, such as voc7 (default: all)")
    options = parser.parse_args(arguments)
    print(table(everything().rows, options.families))
    return 0
