"""A picture of what several nets see: image, truth, and the labels of each, for validation images.

python tools/compare.py voc-fcn32s voc-fcn16s voc-fcn8s --images 6 --out compare.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tools import project  # isort: skip  (it puts the data layers on the path)

import numpy as np
from PIL import Image

import caffe
from tools import pictures, stages
from tools.customise import everything
from tools.device import add_device_options, use_device


def rows(variants: list[str], images: int, skip: int = 0) -> list[list[Image.Image]]:
    """Image, truth and each variant's labels, for `images` validation images of the first variant's data set.

    After each image `skip` others are left out. The weights are those of each variant's newest snapshot.
    """
    nets = [_val_net(name) for name in variants]
    mean = np.asarray(everything().find(variants[0]).data.val.params["mean"])
    found = []
    for number in range(images * (skip + 1)):
        if number % (skip + 1):
            for net in nets:
                net._forward(0, _last_data_layer(net))
            continue
        for net in nets:
            net.forward()
        first = nets[0].blobs
        bgr = first["data"].data[0].transpose(1, 2, 0) + mean
        image = Image.fromarray(bgr[:, :, ::-1].round().clip(0, 255).astype(np.uint8))
        maps = [first["label"].data[0, 0], *(net.blobs["score"].data[0].argmax(0) for net in nets)]
        found.append([image, *(pictures.label_image(labels).convert("RGB") for labels in maps)])
    return found


def _last_data_layer(net: Any) -> int:
    return max(index for index in range(len(net.layers)) if not list(net._bottom_ids(index)))


def _val_net(name: str) -> Any:
    nets = everything()
    row = nets.find(name)
    return caffe.Net(nets.net_file(row, row.data.val.file), caffe.TEST, weights=str(stages.trained_weights(row.name)))


@project.tool
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+", help="variants that were trained, all on one data set")
    parser.add_argument("--images", type=int, default=6, help="how many (default: 6)")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave N images out after each")
    parser.add_argument("--out", type=Path, default=Path("out/compare.png"))
    add_device_options(parser)
    options = parser.parse_args(arguments)
    project.quiet(caffe)
    use_device(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    pictures.grid(rows(options.variants, options.images, options.skip), ["image", "truth", *options.variants]).save(
        options.out
    )
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
