"""Draws loss and mean IU over the trainings of several stages.

fcn curves voc-fcn32s voc-fcn16s voc-fcn8s --out curves.png
"""

from __future__ import annotations

from pathlib import Path

from fcn_caffe import home, program
from fcn_caffe.training.curves import draw_curves


@program.command
def main(arguments: list[str]) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("variants", nargs="+", help="variants that were trained by fcn solve, in order")
    parser.add_argument("--out", type=home.path, default=Path("out/curves.png"))
    options = parser.parse_args(arguments)
    draw_curves(options.variants, options.out)
    return 0
