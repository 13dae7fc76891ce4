"""Packs predicted labels for PASCAL VOC's evaluation server, after a check that nothing is missing or wrong.

    fcn infer voc-fcn8s --out out/test data/pascal/VOC2012/JPEGImages/…    (or: fcn score --save-dir)
    fcn submission out/test --voc-dir data/pascal/VOC2012 --out fcn8s.tar.gz

The archive holds results/VOC2012/Segmentation/comp6_test_cls/NAME.png for every image of the list, and no other file:
8-bit palette PNGs with VOC's colours. comp6 is for nets that have seen other data than VOC's own, as every net has that
starts from ImageNet's weights or trains on SBD; comp5 is for those that have not. The server is for the test set alone:
its images come with the test archive that the server's site gives to registered users.
"""

from __future__ import annotations

import argparse

from fcn_caffe import home, program
from fcn_caffe.data_layers.segdata.splits import read_names
from fcn_caffe.scoring import submission


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("labels", type=home.path, metavar="FOLDER", help="predicted labels, NAME.png")
    parser.add_argument("--voc-dir", type=home.path, required=True, help="VOC with its test images")
    parser.add_argument("--split", default="test", help="list of images in VOC_DIR (default: test)")
    parser.add_argument("--year", type=int, default=2012, help="of the challenge (default: 2012)")
    parser.add_argument("--competition", type=int, choices=(5, 6), default=6, help="default: 6")
    parser.add_argument("--out", type=home.path, required=True, help="archive to write (.tar.gz)")
    return parser


@program.command
def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    names = read_names(
        str(options.voc_dir / "ImageSets" / "Segmentation" / f"{options.split}.txt"), "the evaluation server"
    )
    submission.check(options.labels, options.voc_dir, names)
    submission.pack(options.labels, names, options.year, options.competition, options.out)
    print(f"{options.out}: {len(names)} labels, {options.out.stat().st_size / 1e6:.1f} MB")
    return 0
