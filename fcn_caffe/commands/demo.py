"""The whole job on an embedded data set, in minutes on two cores and without a download.

    fcn demo [--seed N]

Draws a data set, trains a small VGG-shaped classifier with `caffe train`, convolutionalizes it, trains 32s, 16s and 8s
from it, one after another, scores each stage (and the last once more by `caffe test`), and writes to out/demo/:

results.json     the scores of every stage, the seed and the seconds
grid.png         images, truth and what each stage sees
curves.png       loss and mean IU over the training
"""

from __future__ import annotations

import caffe
from fcn_caffe import program
from fcn_caffe.demo import job


@program.command
def main(arguments: list[str]) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the data set and of the training (default: 1)")
    seed = parser.parse_args(arguments).seed
    program.quiet(caffe)
    job.run(seed)
    return 0
