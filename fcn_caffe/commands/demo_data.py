"""Paints the demo's data set: tide pools with five kinds of animals, in PASCAL VOC layout, and portraits to classify.

    fcn demo-data --out out/demo/data --seed 1

OUT/VOC/JPEGImages/*.jpg, SegmentationClass/*.png (palette; 255 on borders), ImageSets/Segmentation/{train,val}.txt,
classes.txt; OUT/classification/images/*.jpg, {train,val}.txt with "path label" lines for Caffe's ImageData layer, the
same classes (0: ground alone). The same seed and library versions give the same bytes.
"""

from __future__ import annotations

import time
from pathlib import Path

from fcn_caffe import home, program
from fcn_caffe.demo import data
from fcn_caffe.demo.tidepool.creatures import CLASSES


@program.command
def main(arguments: list[str]) -> int:
    parser = program.parser(__doc__)
    parser.add_argument(
        "--out", type=home.path, default=Path("out/demo/data"), help="folder to write to (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="other seed, other pictures (default: %(default)s)")
    options = parser.parse_args(arguments)
    begin = time.time()
    data.write_segmentation(options.out / "VOC", options.seed, data.SEGMENTATION)
    data.write_classification(options.out / "classification", options.seed, data.CLASSIFICATION)
    print(
        f"{options.out}: {' + '.join(f'{n} {split}' for split, n in data.SEGMENTATION.items())} images with labels, "
        f"{' + '.join(f'{n} {split}' for split, n in data.CLASSIFICATION.items())} to classify; "
        f"{', '.join(CLASSES)}; {time.time() - begin:.0f} s"
    )
    return 0
