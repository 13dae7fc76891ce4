"""Scores a net that finds edges: ODS, OIS and AP, beside Sobel's and Canny's operators at their best threshold.

    fcn edges camvid-hed

Maps are thinned first. A pixel matches within --tolerance of the image's diagonal (0.0075: BSDS's), without being
matched one to one. ODS is F at the threshold that is best for all images, OIS with each image's own, AP the area under
precision over recall.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

import caffe
from fcn_caffe import home, program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.pictures import outputs
from fcn_caffe.scoring import edge_net, edges
from fcn_caffe.training import what_to_score
from fcn_caffe.variants.customise import add_data_options, catalogue
from fcn_caffe.variants.loading import load
from fcn_caffe.whole_files import write_json


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variant", help="a net of the catalogue that finds edges, or its snapshot folder")
    parser.add_argument("--weights", type=home.text, help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--images", type=int, help="the first N of the images to score (default: all)")
    parser.add_argument(
        "--tolerance", type=float, default=edges.TOLERANCE, help="share of the diagonal (default: 0.0075)"
    )
    parser.add_argument("--json", type=home.path, help="write the scores there")
    add_data_options(parser)
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.images is not None and options.images < 1:
        parser.error(f"--images is {options.images}, expected at least one")
    if not 0 <= options.tolerance < 1:
        parser.error(f"--tolerance is {options.tolerance}, expected a share of the diagonal, from 0 to below 1")
    if options.json:
        outputs.check_json(options.json)
    what = what_to_score.find(options.variant, catalogue(options), options.weights, None)
    program.quiet(caffe)
    use_device(options)
    found = edge_net.score(load(what.net_file, what.weights), options.images, options.tolerance)
    print(edges.table(found))
    if options.json:
        write_json(options.json, {name: asdict(each) for name, each in found.items()})
    return 0
