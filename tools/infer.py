"""Segments images: any list of files, with any deploy net.

    python tools/infer.py voc-fcn8s photo.jpg …                   the variant's deploy net and its newest snapshot
    python tools/infer.py my-task photo.jpg …                     the same of a task of your own (tools/new_task.py)
    python tools/infer.py --net deploy.prototxt --weights x.caffemodel --out out/ photo.jpg

Writes NAME.png (class numbers; VOC's palette, or that of your task) and NAME_overlay.png; with --scores also NAME.npy,
classes×height×width; and, where the classes have names, legend.png.
An image that cannot be read does not keep the others from being segmented; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tools import project  # isort: skip  (it puts the data layers on the path)

import numpy as np
from PIL import Image
from segdata import files

import caffe
from net_spec.datasets import MEAN
from tools import pictures, stages
from tools.customise import everything
from tools.device import add_device_options, use_device
from tools.legend import Legend, legend_of, reader


def segment(net: Any, image: Image.Image, mean: tuple[float, ...] = MEAN, score: str = "score") -> np.ndarray:
    """The scores of every class at every pixel, classes×height×width, of an RGB image."""
    pixels = np.asarray(image.convert("RGB"), np.float32)[:, :, ::-1] - np.asarray(mean, np.float32)
    data = net.blobs[net.inputs[0]]
    data.reshape(1, 3, *pixels.shape[:2])
    data.data[...] = pixels.transpose(2, 0, 1)
    net.forward()
    return net.blobs[score].data[0]


class Found(NamedTuple):
    """What is known of a net: its deploy prototxt, what its training is called, its classes, and its mean."""

    net_file: str
    training: str
    classes: Legend
    mean: tuple[float, ...]


def find(variant: str, score: str = "score") -> Found:
    """A variant, and the classes that its blob `score` is of; also one that tools/solve.py made for a data set in VOC's
    layout (--classes). Raises ValueError if there is none of that name, or if it sees something else than colours.
    """
    nets = everything()
    made = sorted(Path("out").glob(f"*/nets/{variant}/deploy.prototxt"))
    if made and variant not in nets.rows:
        return Found(str(made[0]), variant, Legend(), MEAN)
    row = nets.find(variant)
    split = row.data.val
    if "color" not in split.params.get("tops", ["color"]):
        raise ValueError(
            f"{row.name} sees {split.params['tops'][0]}, expected a net that sees colours. `tools/score.py {row.name} "
            "--save-dir DIR` writes what it predicts for the images of its data set."
        )
    mean = split.params.get("mean") or reader(row).own_mean
    return Found(nets.net_file(row, "deploy"), row.name, legend_of(row, score), mean)


def deploy_net(net_file: str, weights: str, score: str) -> Any:
    """A net that takes one image and has scores. Raises ValueError for any other."""
    net = caffe.Net(net_file, caffe.TEST, weights=weights)
    channels = [net.blobs[name].shape[1] if len(net.blobs[name].shape) == 4 else 0 for name in net.inputs]
    if channels != [3]:
        found = ", ".join(f"{name} {'×'.join(map(str, net.blobs[name].shape))}" for name in net.inputs) or "no input"
        raise ValueError(
            f"'{net_file}' takes {found}, expected one image of three channels. Nets with depth or several inputs "
            "need a script of their own; nets with data layers are for tools/score.py."
        )
    if score not in net.blobs:
        raise ValueError(f"'{net_file}' has no blob {score}; there are {', '.join(net.blobs)}. Name one with --score.")
    return net


def write_segmentation(net: Any, file: str, name: str, classes: Legend, options: argparse.Namespace) -> None:
    """Segment one image, write the pictures, and tell which classes it shows."""
    image = Image.fromarray(files.read_image(file))
    scores = segment(net, image, tuple(options.mean), options.score)
    labels = scores.argmax(0)
    if labels.shape != (image.height, image.width):
        raise ValueError(
            f"blob {options.score} is {labels.shape[0]}×{labels.shape[1]}, expected the image's {image.height}×"
            f"{image.width}. Name the blob of scores at full size with --score."
        )
    pictures.save_labels(labels, options.out / f"{name}.png", classes.colours)
    pictures.overlay(image, labels, classes.colours).save(options.out / f"{name}_overlay.png")
    if options.scores:
        np.save(options.out / f"{name}.npy", scores)
    share = np.bincount(labels.ravel(), minlength=scores.shape[0]) / labels.size
    seen = [f"{classes.name(cls)} {share[cls]:.1%}" for cls in np.argsort(-share) if share[cls] > 0]
    print(f"{file}: {', '.join(seen)}", flush=True)


def output_names(images: list[str]) -> list[str]:
    """What each image's files are called: its name without ending, and with it where two would be the same."""
    stems = [Path(image).stem for image in images]
    return [stem if stems.count(stem) == 1 else f"{i}_{stem}" for i, stem in enumerate(stems)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="+", metavar="VARIANT | IMAGE", help="a net or a task by its name (unless --net), and images"
    )
    parser.add_argument("--net", help="a deploy prototxt, instead of a variant")
    parser.add_argument("--weights", help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--out", type=Path, default=Path("out/infer"), help="folder to write to (default: out/infer)")
    parser.add_argument(
        "--mean", type=float, nargs=3, metavar=("B", "G", "R"), help="what is subtracted (default: the variant's mean)"
    )
    parser.add_argument("--score", default="score", help="the blob of scores")
    parser.add_argument("--scores", action="store_true", help="write the raw scores, too")
    add_device_options(parser)
    return parser


@project.tool
def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    images, weights, found = options.what, options.weights, Found(options.net, "", Legend(), MEAN)
    if not options.net:
        found, images = find(images[0], options.score), images[1:]
        weights = weights or str(stages.trained_weights(found.training))
    if not weights or not images:
        parser.error("give --weights with --net, and at least one image")
    project.quiet(caffe)
    use_device(options)
    net = deploy_net(found.net_file, weights, options.score)
    options.mean = options.mean or found.mean
    options.out.mkdir(parents=True, exist_ok=True)
    if found.classes.names:
        found.classes.picture().save(options.out / "legend.png")
    failures = 0
    for file, name in zip(images, output_names(images)):
        try:
            write_segmentation(net, file, name, found.classes, options)
        except (ValueError, OSError, RuntimeError) as error:
            print(f"infer: {file}: {error}", file=sys.stderr, flush=True)
            failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
