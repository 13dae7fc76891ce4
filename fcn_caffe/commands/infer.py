"""Segments images: any list of files, with any deploy net.

    fcn infer voc-fcn8s photo.jpg …                   the variant's deploy net and its newest snapshot
    fcn infer my-task photos/                         of a task of your own, all images of a folder
    fcn infer models/street-fcn8s photo.jpg           a snapshot folder, wherever it was moved
    fcn infer --net deploy.prototxt --weights x.caffemodel --out out/ photo.jpg

Writes NAME.png (class numbers; VOC's palette, or that of your task) and NAME_overlay.png; with --scores also NAME.npy,
classes×height×width; and, where the classes have names, legend.png. With --crf the labels are those of a dense CRF,
while scores stay the net's. Of a net that predicts depth, NAME.png has millimetres in 16 bits, NAME_overlay.png is a
picture of them, near bright and far dark.
Nothing that is there already is overwritten, but what this tool wrote before.
An image that cannot be read does not keep the others from being segmented; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
from fcn_caffe import home, program
from fcn_caffe.data_layers.segdata import pairs
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.inference import write
from fcn_caffe.inference.find import Found, find
from fcn_caffe.inference.segment import deploy_net
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.pictures import outputs
from fcn_caffe.pictures.legend import Legend
from fcn_caffe.scoring import crf


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument(
        "what",
        nargs="+",
        metavar="NET | IMAGE",
        help="a net or task by its name, or a snapshot folder (unless --net); images, or folders of them",
    )
    parser.add_argument("--net", type=home.text, help="a deploy prototxt, instead of a variant")
    parser.add_argument("--weights", type=home.text, help="a caffemodel (default: the net's newest snapshot)")
    parser.add_argument(
        "--out", type=home.path, default=Path("out/infer"), help="folder to write to (default: out/infer)"
    )
    parser.add_argument(
        "--mean", type=float, nargs=3, metavar=("B", "G", "R"), help="what is subtracted (default: the variant's mean)"
    )
    parser.add_argument("--score", default="score", help="the blob of scores")
    parser.add_argument(
        "--as-stored",
        action="store_true",
        help="do not turn photos as their EXIF orientation says (default: as in training)",
    )
    parser.add_argument("--scores", action="store_true", help="write the raw scores, too")
    crf.add_crf_option(parser)
    add_device_options(parser)
    return parser


def _net(options: argparse.Namespace) -> Found:
    if options.net:
        found = Found(options.net, options.weights, Legend(), MEAN)
    else:
        found = find(options.what[0], options.score, options.weights)
    mean = tuple(options.mean) if options.mean else found.mean
    return found._replace(mean=mean, upright=found.upright and not options.as_stored)


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    images = options.what if options.net else options.what[1:]
    if not images or (options.net and not options.weights):
        parser.error("give a net or a task and at least one image; with --net also --weights, and images alone")
    found = _net(options)
    images, legend = pairs.images_of(map(home.text, images)), bool(found.classes.names)
    names = write.output_names(images, legend)
    chosen = crf.parameters(options.crf) if options.crf else None
    wanted = write.Wanted(options.out, options.score, options.scores, chosen)
    read = [*images, found.net_file, found.weights]
    outputs.check(write.output_files(names, wanted, legend), map(Path, read), "Name another folder with --out.")
    program.quiet(caffe)
    use_device(options)
    net = deploy_net(found.net_file, found.weights, options.score)
    if legend:
        outputs.save_picture(found.classes.picture(), options.out / write.LEGEND)
    return 1 if write.write_all(net, list(zip(images, names)), found, wanted) else 0
