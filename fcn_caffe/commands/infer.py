"""Segments images: any list of files, with any deploy net.

    fcn infer photo.jpg …                             by the net that comes with the package
    fcn infer voc-fcn8s photo.jpg …                   the variant's deploy net and its newest snapshot
    fcn infer my-task photos/ 'more/*.jpg'            of a task of your own, all images in and below a folder
    fcn infer my-task film.mp4 camera:0               videos and cameras: their frames, with the classes coloured
    fcn infer models/street-fcn8s photo.jpg           a snapshot folder, wherever it was moved
    fcn infer --net deploy.prototxt --weights x.caffemodel --out out/ photo.jpg

Writes NAME.png (class numbers; VOC's palette, or that of your task) and NAME_overlay.png; with --scores also NAME.npy,
classes×height×width; and, where the classes have names, legend.png. With --crf the labels are those of a dense CRF,
while scores stay the net's. Of a net that predicts depth, NAME.png has millimetres in 16 bits, NAME_overlay.png is a
picture of them, near bright and far dark. Of a net that finds edges, NAME.png has 255 times the probability of one. Of
a TIFF of more than 1500×1500 pixels, NAME.tif has the class numbers, and the overlay is a reduced picture; it is read,
computed and written by bands of rows, whatever its size: pip install 'fcn-caffe[tiff]'. What is below a folder goes to
the same folders below --out. A video becomes NAME_overlay.mp4, at its own rate of frames, and its first frame a
picture; for this and for cameras, pip install 'fcn-caffe[video]'. Started by torchrun (torchrun --nproc-per-node 4 -m
fcn_caffe infer my-task photos/), each process takes its share of the images. Files are overwritten only if this tool
wrote them. If an image cannot be read, the others are segmented all the same, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import caffe
from fcn_caffe import home, program, sharing
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.inference import write
from fcn_caffe.inference.find import Found, find, is_net
from fcn_caffe.inference.inputs import inputs
from fcn_caffe.inference.segment import deploy_net
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.pictures import outputs, palettes
from fcn_caffe.pictures.legend import Legend
from fcn_caffe.scoring import crf
from fcn_caffe.whole_files import write_json


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument(
        "what",
        nargs="+",
        metavar="NET | IMAGE",
        help="a net or task by its name, or a snapshot folder (unless --net; without one, the package's own); images, "
        "videos, folders of them, patterns, cameras (camera:0)",
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
    parser.add_argument(
        "--max-side", type=int, metavar="N", help="compute larger images with N pixels along their longer side"
    )
    parser.add_argument(
        "--batch", type=int, default=1, metavar="N", help="compute up to N images of one size at once (default: 1)"
    )
    parser.add_argument("--frames", type=int, metavar="N", help="of videos and cameras, take the first N frames")
    parser.add_argument("--json", type=home.path, help="write the share of each class in each image there")
    parser.add_argument("--contours", action="store_true", help="draw lines between the classes into the overlay")
    parser.add_argument("--legend", action="store_true", help="draw the classes that an image shows beside its overlay")
    parser.add_argument("--palette", choices=palettes.NAMES, help="other colours than those of the data set")
    crf.add_crf_option(parser)
    add_device_options(parser)
    return parser


def _net(options: argparse.Namespace) -> tuple[Found, list[str]]:
    """The net that is named, or else the package's own; and what it is to segment."""
    if options.net:
        found, typed = Found(options.net, options.weights, Legend(), MEAN), options.what
    else:
        name, typed = (options.what[0], options.what[1:]) if is_net(options.what[0]) else (None, options.what)
        found = find(name, options.score, options.weights)
    mean = tuple(options.mean) if options.mean else found.mean
    classes = replace(found.classes, colours=palettes.colours(options.palette)) if options.palette else found.classes
    return found._replace(mean=mean, upright=found.upright and not options.as_stored, classes=classes), typed


@program.command
def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    if options.net and not options.weights:
        parser.error("give --weights, too, those of --net")
    if min(each for each in (options.max_side, options.batch, options.frames, 1) if each is not None) < 1:
        parser.error("--max-side, --batch and --frames count pixels, images and frames: give 1 or more")
    found, typed = _net(options)
    if not typed:
        parser.error("give at least one image, after the net if one is named")
    named, legend = inputs(typed), bool(found.classes.names)
    paths = [each.path for each in named]
    files = list(zip(paths, write.output_names(paths, legend, [each.folder for each in named])))
    wanted = _wanted(options)
    read = [*paths, found.net_file, found.weights]
    if options.json:
        outputs.check_json(options.json, map(Path, read))
    outputs.check(write.output_files(files, wanted, legend), map(Path, read), "Name another folder with --out.")
    program.quiet(caffe)
    with sharing.together() as share:
        use_device(options, share.local)
        net = deploy_net(found.net_file, found.weights, options.score)
        if legend and share.is_first:
            outputs.save_picture(found.classes.picture(), options.out / write.LEGEND)
        own = share.own(files)
        done = write.write_all(net, own, found, wanted)
        if options.json:
            shown = {file: each for part in share.gathered(json.dumps(done)) for file, each in json.loads(part).items()}
            if share.is_first:
                write_json(options.json, {file: shown[file] for file, _ in files if file in shown})
    return 1 if len(done) < len(own) else 0


def _wanted(options: argparse.Namespace) -> write.Wanted:
    return write.Wanted(
        options.out,
        options.score,
        options.scores,
        crf.parameters(options.crf) if options.crf else None,
        options.max_side,
        options.batch,
        options.contours,
        options.legend,
        options.frames,
    )
