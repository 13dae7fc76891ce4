"""Refines saved scores by a dense CRF (Krähenbühl and Koltun, NIPS 2011), and finds its parameters.

    fcn infer voc-fcn8s photos/ --scores --out out/scores
    fcn crf out/scores --images photos/ --crf deeplab
    fcn crf out/scores --images photos/ --labels labels/ --crf deeplab     how much better it is
    fcn crf out/scores --images photos/ --labels labels/ --search          parameters, of training images

Scores are files NAME.npy, classes×height×width, or folders of them; images and labels are NAME.jpg, NAME.png, … in
folders. Writes NAME.png (class numbers) and NAME_overlay.png. --search tries weights and deviations of the kernel over
colours one after the other, as DeepLab's authors did, and writes those of the highest mean IU to --save: give it scores
of *training* images, and --crf FILE.json to the commands that score. It computes each image some 50 times.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
from fcn_caffe import home, program
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.pictures import legend, outputs
from fcn_caffe.scoring import crf, crf_refine, crf_search, saved_scores

DEFAULT = "deeplab"


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("scores", nargs="+", type=home.path, metavar="SCORES", help="NAME.npy, or folders of them")
    parser.add_argument("--images", type=home.text, required=True, metavar="FOLDER", help="the images they are of")
    parser.add_argument("--labels", type=home.text, metavar="FOLDER", help="the true labels: scores are printed")
    parser.add_argument("--out", type=home.path, default=Path("out/crf"), help="folder to write to (default: out/crf)")
    parser.add_argument("--search", action="store_true", help="find parameters; needs --labels")
    parser.add_argument(
        "--save",
        type=home.path,
        default=Path("out/crf.json"),
        help="where --search writes them (default: out/crf.json)",
    )
    parser.add_argument("--names", type=home.text, help="a list of classes with colours (default: VOC's colours)")
    parser.add_argument("--as-stored", action="store_true", help="do not turn photos as their EXIF orientation says")
    crf.add_crf_option(parser, default=DEFAULT)
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.search and not options.labels:
        parser.error("--search needs --labels, the true labels of the images")
    if options.search and options.save.suffix != crf.ENDING:
        parser.error(
            f"--save {options.save}: --crf takes files of parameters that end in {crf.ENDING}, name such a one"
        )
    chosen = crf.parameters(options.crf)
    items = saved_scores.find(options.scores, options.images, options.labels)
    program.quiet(caffe)
    use_device(options)
    read_files = [Path(file) for item in items for file in (item.scores, item.image, item.label) if file]
    if options.search:
        crf.check_file(options.save, read_files)
        crf_search.search(items, options.save, chosen, not options.as_stored)
        return 0
    written = [options.out / f"{item.name}{ending}" for item in items for ending in (".png", "_overlay.png")]
    outputs.check(written, read_files, "Name another folder with --out.")
    crf_refine.refine(items, options.out, legend.colours(options.names), chosen, not options.as_stored)
    return 0
