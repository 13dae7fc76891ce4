"""Pictures of the loss of every pixel of validation images.

    python -m analyses loss_map demo-fcn32s demo-fcn16s demo-fcn8s
    python -m analyses loss_map voc7-fcn8s-squeezenet --images 6 --skip 35 --out out/loss.png

An FCN's loss is a sum over pixels (CVPR 2015, section 3), so it has a map: black is no loss, white is ln(classes), the
loss of equal probabilities, or more; void is gray. For each variant, over the pictured images: the mean loss per
labelled pixel, near boundaries and elsewhere. A boundary is the void around objects, or (--boundary classes) where
classes meet.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from PIL import Image

import caffe
from fcn_caffe import program
from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.device_options import add_device_options, use_device
from fcn_caffe.pictures import drawing, legend
from fcn_caffe.scoring.trimap import distances
from fcn_caffe.variants import stages
from fcn_caffe.variants.build import build
from fcn_caffe.variants.customise import everything

HEAT = ((0, 0, 0), (160, 20, 60), (250, 150, 20), (255, 255, 255))
GRAY = (128, 128, 128)


def pixel_losses(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The softmax loss of every pixel, height×width; NaN where the label is void.

    scores: classes×height×width. labels: height×width.
    """
    void = labels == VOID
    true_class = np.where(void, 0, labels).astype(np.intp)[None]
    highest = scores.max(0)
    total = highest + np.log(np.exp(scores - highest).sum(0))
    return np.where(void, np.nan, total - np.take_along_axis(scores, true_class, 0)[0])


def heat(losses: np.ndarray, most: float) -> Image.Image:
    """Losses as colours from black over red to white, which is `most` and more; NaN is gray."""
    level = np.clip(np.nan_to_num(losses) / most, 0, 1)
    stops = np.linspace(0, 1, len(HEAT))
    colours = np.stack([np.interp(level, stops, channel) for channel in zip(*HEAT)], axis=-1)
    colours[np.isnan(losses)] = GRAY
    return Image.fromarray(colours.round().astype(np.uint8))


def scale(variant: str) -> list[tuple[str, tuple[int, ...] | None]]:
    """What the colours of a variant's losses mean: a line for each, and the colour."""
    classes = everything().find(variant).data.heads[0].classes
    most = math.log(classes)
    steps = [(f"loss {most * part:.2f}", part) for part in (0, 1 / 3, 2 / 3)]
    levels = [*steps, (f"ln {classes} = {most:.2f} or more", 1)]
    colours = [heat(np.array([[level * most]]), most).getpixel((0, 0)) for _, level in levels]
    return [*((text, colour) for (text, _), colour in zip(levels, colours)), ("void", GRAY)]


class Regions:
    """Sums of losses and numbers of pixels, near boundaries and elsewhere."""

    def __init__(self) -> None:
        self.losses, self.pixels = np.zeros(2), np.zeros(2, np.int64)

    def add(self, losses: np.ndarray, far: np.ndarray, width: float) -> None:
        """Count one image: losses and distances from the nearest boundary, both height×width."""
        for index, region in enumerate((far <= width, far > width)):
            self.losses[index] += np.nansum(losses[region])
            self.pixels[index] += np.count_nonzero(~np.isnan(losses[region]))

    def mean(self) -> float:
        """The mean loss of all labelled pixels."""
        return float(self.losses.sum() / max(self.pixels.sum(), 1))

    def line(self, name: str) -> str:
        """The mean loss of all, near and elsewhere, and what share of pixels and loss is near."""
        near, elsewhere = self.losses / np.maximum(self.pixels, 1)
        return (
            f"{name:28} {self.mean():9.4f} {near:9.4f} {elsewhere:9.4f} "
            f"{self.pixels[0] / max(self.pixels.sum(), 1):12.1%} {self.losses[0] / max(self.losses.sum(), 1e-30):10.1%}"
        )


def maps(
    variants: list[str], images: int, skip: int, width: float, boundary: str
) -> tuple[list[list[Image.Image]], dict[str, Regions]]:
    """Rows of pictures, image, truth and each variant's losses, and the sums of each variant.

    The images are the first variant's validation images; after each `skip` others are left out.
    """
    rows = [everything().find(name) for name in variants]
    nets = [build(row.net(row.data.val.file), str(stages.trained_weights(row.name))) for row in rows]
    mean = np.asarray(rows[0].data.val.params["mean"])
    found, sums = [], {row.name: Regions() for row in rows}
    for number in range(images * (skip + 1)):
        left_out = number % (skip + 1) > 0
        for net in nets:
            net.forward(**({"end": net._layer_names[0]} if left_out else {}))
        if left_out:
            continue
        labels = nets[0].blobs["label"].data[0, 0]
        far = distances(labels, boundary)
        pictured = [photo(nets[0].blobs["data"].data[0], mean), drawing.label_picture(labels)]
        for net, region in zip(nets, sums.values()):
            scores = net.blobs["score"].data[0]
            losses = pixel_losses(scores, labels)
            region.add(losses, far, width)
            pictured.append(heat(losses, math.log(len(scores))))
        found.append(pictured)
    return found, sums


def photo(data: np.ndarray, mean: np.ndarray) -> Image.Image:
    """The image of a data blob, 3×height×width, BGR minus the mean."""
    bgr = data.transpose(1, 2, 0) + mean
    return Image.fromarray(bgr[:, :, ::-1].round().clip(0, 255).astype(np.uint8))


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(__doc__)
    parser.add_argument("variants", nargs="+", help="variants that were trained, all on one data set")
    parser.add_argument("--images", type=int, default=6, help="how many (default: 6)")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave N images out after each")
    parser.add_argument("--boundary", choices=("void", "classes"), default="void", help="default: void")
    parser.add_argument("--width", type=float, default=5, help="of the band near a boundary, in pixels (default: 5)")
    parser.add_argument("--out", type=Path, default=Path("out/loss_map.png"))
    add_device_options(parser)
    return parser


@program.command
def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    program.quiet(caffe)
    use_device(options)
    rows, sums = maps(options.variants, options.images, options.skip, options.width, options.boundary)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    titles = [f"{name}: {region.mean():.3f} a pixel" for name, region in sums.items()]
    found = legend.below(drawing.grid(rows, ["image", "truth", *titles]), scale(options.variants[0]))
    found.save(options.out, optimize=True)
    print(f"{'loss per pixel':28} {'all':>9} {'near':>9} {'elsewhere':>9} {'pixels near':>12} {'loss near':>10}")
    for name, region in sums.items():
        print(region.line(name))
    print(options.out)
    return 0
