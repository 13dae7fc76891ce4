"""What a net scores that predicts background everywhere: the signature of a net that has learned nothing.

    python analyses/background.py                       VOC 2012 val and seg11valid, from the labels alone
    python analyses/background.py --voc-dir data/voc --splits seg11valid

With the share p of background among the labelled pixels and 21 classes: pixel accuracy p, mean accuracy 1/21, mean IU
p/21, frequency weighted IU p². A training whose scores are these has zero score or upsampling layers, or no weights.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tools import project  # isort: skip  (it puts the data layers on the path)

import numpy as np

from analyses import voc_labels
from tools import metrics


def confusion(folder: Path, split: str) -> np.ndarray:
    """The confusion matrix, true × predicted class, of background everywhere."""
    hist = np.zeros((voc_labels.CLASSES,) * 2, np.int64)
    for label in voc_labels.labels(folder, split):
        hist[:, 0] += np.bincount(label.ravel(), minlength=voc_labels.VOID + 1)[: voc_labels.CLASSES]
    return hist


@project.tool
def main(arguments: list[str] | None = None) -> int:
    parser = project.parser(__doc__)
    parser.add_argument("--voc-dir", type=Path, default=voc_labels.FOLDER, help="labels in VOC's layout (%(default)s)")
    parser.add_argument("--splits", nargs="+", default=["val", "seg11valid"], help="default: val seg11valid")
    options = parser.parse_args(arguments)
    print(f"{'split':12} {'pixel accuracy':>16} {'mean accuracy':>16} {'mean IU':>16} {'f.w. IU':>16}")
    for split in options.splits:
        found = metrics.scores(confusion(options.voc_dir, split))
        numbers = (found.pixel_accuracy, found.mean_accuracy, found.mean_iu, found.fw_iu)
        print(f"{split:12} " + " ".join(f"{number:16.13f}" for number in numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
