"""Draws the demo's data set: tide pools with five kinds of animals, in PASCAL VOC layout, and portraits to classify.

    fcn demo-data --out out/demo/data --seed 1

OUT/VOC/JPEGImages/*.jpg, SegmentationClass/*.png (palette; 255 on borders), ImageSets/Segmentation/{train,val}.txt,
classes.txt; OUT/classification/images/*.jpg, {train,val}.txt with "path label" lines for Caffe's ImageData layer, the
same classes (0: ground alone). With --depth also scenes seen at a slant, whose depth is known, in NYUDv2's layout:
OUT/depth/data/images/img_*.png, data/depth/img_*.png (millimetres), {train,val}.txt. The same seed and library versions
give the same bytes.
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
    parser.add_argument("--depth", action="store_true", help="write scenes with depth, too")
    options = parser.parse_args(arguments)
    begin = time.time()
    data.write_segmentation(options.out / "VOC", options.seed, data.SEGMENTATION)
    data.write_classification(options.out / "classification", options.seed, data.CLASSIFICATION)
    depth = ""
    if options.depth:
        data.write_depth(options.out / "depth", options.seed, data.DEPTH)
        depth = f"{' + '.join(f'{n} {split}' for split, n in data.DEPTH.items())} with depth; "
    print(
        f"{options.out}: {' + '.join(f'{n} {split}' for split, n in data.SEGMENTATION.items())} images with labels, "
        f"{' + '.join(f'{n} {split}' for split, n in data.CLASSIFICATION.items())} to classify; "
        f"{depth}{', '.join(CLASSES)}; {time.time() - begin:.0f} s"
    )
    return 0
