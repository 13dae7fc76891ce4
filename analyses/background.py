"""What a net scores that predicts background everywhere: the signature of a net that has learned nothing.

    python -m analyses background                       VOC 2012 val and seg11valid, from the labels alone
    python -m analyses background --voc-dir data/voc --splits seg11valid

With the share p of background among the labelled pixels and 21 classes: pixel accuracy p, mean accuracy 1/21, mean IU
p/21, frequency weighted IU p². A training whose scores are these has zero score or upsampling layers, or no weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analyses import voc_labels
from fcn_caffe import program
from fcn_caffe.scoring import metrics


def confusion(folder: Path, split: str) -> np.ndarray:
    """The confusion matrix, true × predicted class, of background everywhere."""
    hist = np.zeros((voc_labels.CLASSES,) * 2, np.int64)
    for label in voc_labels.labels(folder, split):
        hist[:, 0] += np.bincount(label.ravel(), minlength=voc_labels.VOID + 1)[: voc_labels.CLASSES]
    return hist


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("--voc-dir", type=Path, default=voc_labels.FOLDER, help="labels in VOC's layout (%(default)s)")
    parser.add_argument("--splits", nargs="+", default=["val", "seg11valid"], help="default: val seg11valid")
    options = parser.parse_args(arguments)
    print(f"{'split':12} {'pixel accuracy':>16} {'mean accuracy':>16} {'mean IU':>16} {'f.w. IU':>16}")
    for split in options.splits:
        found = metrics.scores(confusion(options.voc_dir, split))
        numbers = (found.pixel_accuracy, found.mean_accuracy, found.mean_iu, found.fw_iu)
        print(f"{split:12} " + " ".join(f"{number:16.13f}" for number in numbers))
    return 0
