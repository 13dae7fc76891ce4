"""Segments images: any list of files, with any deploy net.

    python tools/infer.py voc-fcn8s photo.jpg …                   the variant's deploy net and its newest snapshot
    python tools/infer.py --net deploy.prototxt --weights x.caffemodel --out out/ photo.jpg

Writes NAME.png (class numbers, VOC's palette) and NAME_overlay.png; with --scores also NAME.npy, classes×height×width.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

import caffe
from tools import pictures, project, stages  # noqa: F401
from tools.device import add_device_options, use_device

MEAN = (104.00699, 116.66877, 122.67892)


def segment(net: Any, image: Image.Image, mean: tuple[float, ...] = MEAN, score: str = "score") -> np.ndarray:
    """The scores of every class at every pixel, classes×height×width, of an RGB image."""
    pixels = np.asarray(image.convert("RGB"), np.float32)[:, :, ::-1] - np.asarray(mean, np.float32)
    data = net.blobs[net.inputs[0]]
    data.reshape(1, 3, *pixels.shape[:2])
    data.data[...] = pixels.transpose(2, 0, 1)
    net.forward()
    return net.blobs[score].data[0]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", nargs="+", metavar="VARIANT | IMAGE", help="a net of the catalogue (unless --net), and images"
    )
    parser.add_argument("--net", help="a deploy prototxt, instead of a variant")
    parser.add_argument("--weights", help="a caffemodel (default: the variant's newest snapshot)")
    parser.add_argument("--out", type=Path, default=Path("out/infer"), help="folder to write to (default: out/infer)")
    parser.add_argument(
        "--mean", type=float, nargs=3, default=MEAN, metavar=("B", "G", "R"), help="mean that is subtracted"
    )
    parser.add_argument("--score", default="score", help="the blob of scores")
    parser.add_argument("--scores", action="store_true", help="write the raw scores, too")
    add_device_options(parser)
    options = parser.parse_intermixed_args(arguments)
    use_device(options)
    files = options.what if options.net else options.what[1:]
    net_file = options.net or f"nets/{stages.variant(options.what[0]).name}/deploy.prototxt"
    weights = options.weights or (None if options.net else str(stages.weights_of(options.what[0])))
    if not weights or not files:
        parser.error("give --weights with --net, and at least one image")
    net = caffe.Net(net_file, caffe.TEST, weights=weights)
    options.out.mkdir(parents=True, exist_ok=True)
    for file in files:
        image = Image.open(file)
        scores = segment(net, image, tuple(options.mean), options.score)
        labels, name = scores.argmax(0), Path(file).stem
        pictures.save_labels(labels, options.out / f"{name}.png")
        pictures.overlay(image, labels).save(options.out / f"{name}_overlay.png")
        if options.scores:
            np.save(options.out / f"{name}.npy", scores)
        share = np.bincount(labels.ravel(), minlength=scores.shape[0]) / labels.size
        print(f"{file}: " + ", ".join(f"class {c} {share[c]:.1%}" for c in np.argsort(-share) if share[c] > 0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
