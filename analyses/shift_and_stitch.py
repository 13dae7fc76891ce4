"""Shift-and-stitch, rarefied filters and dilation: the same dense output at three costs (CVPR 2015, section 3.2).

    python -m analyses shift_and_stitch                               the demo's trunk up to conv4_2, stride 8
    python -m analyses shift_and_stitch --net nets/ilsvrc/vgg16/conv.prototxt --until pool2

A net of stride s gives one output for every s×s pixels. Three methods give an output for each pixel, without training:

shift-and-stitch   run the net on the image shifted by each of the s×s offsets, and interlace what comes out
rarefied filters   make every stride 1, and spread the filters after it: s-1 zeros between their weights (a max pooling
                   takes the maximum of pixels that lie s apart)
dilation           the same filters, but zeros are not multiplied ("à trous")

Weights are drawn at random (--weights takes others), and so is the image. Paddings are left out: a shift would move the
image against them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format

import caffe
from analyses.dense import dense, fill, rarefy, resized, trunk
from caffe.proto import caffe_pb2
from fcn_caffe import CHECKOUT, program
from fcn_caffe.net_spec import geometry
from fcn_caffe.progress import progress
from fcn_caffe.variants.build import build

SEED = 1


def stitched(net: Any, image: np.ndarray, blob: str, stride: int) -> np.ndarray:
    """The outputs of a net for every pixel offset, interlaced: channels×height×width.

    image: 3×H×W, stride - 1 pixels larger than what the net takes.
    """
    side = net.blobs["data"].shape[2]
    outputs = net.blobs[blob].shape[2]
    made = np.empty((net.blobs[blob].shape[1], outputs * stride, outputs * stride), np.float32)
    with progress("shift-and-stitch", "shifts", stride**2) as advance:
        for y, x in itertools.product(range(stride), repeat=2):
            made[:, y::stride, x::stride] = run(net, image[:, y : y + side, x : x + side], blob)
            advance()
    return made


def run(net: Any, image: np.ndarray, blob: str) -> np.ndarray:
    """A net's output for an image: a blob, channels×height×width."""
    net.blobs["data"].data[0] = image
    net.forward()
    return net.blobs[blob].data[0].copy()


def multiplications(net: Any) -> int:
    """Of weights with pixels, in one forward pass."""
    tops = {name: net.blobs[net.top_names[name][0]].shape for name in net.params}
    return sum(net.params[name][0].data.size * shape[2] * shape[3] for name, shape in tops.items())


@dataclass(frozen=True)
class Method:
    """One way to an output: the output, channels×height×width, and how many multiplications it takes."""

    name: str
    output: np.ndarray
    multiplications: int


def ways(message: Any, until: str, weights: str = "", outputs: int = 4) -> list[Method]:
    """The net as it is, with outputs×outputs pixels, and the three ways, with stride times as many along each axis."""
    plain = trunk(message, until)
    field, stride = geometry.receptive_field(plain, until)
    spread = dense(plain, field + outputs * stride - 1)
    caffe.set_random_seed(SEED)
    net = build(resized(plain, field + (outputs - 1) * stride), weights)
    dilated, rarefied = build(spread), build(rarefy(spread))
    fill(dilated, net)
    fill(rarefied, net)
    image = np.random.default_rng(SEED).normal(0, 50, dilated.blobs["data"].shape[1:]).astype(np.float32)
    side = net.blobs["data"].shape[2]
    return [
        Method("the net itself", run(net, image[:, :side, :side], until), multiplications(net)),
        Method("shift-and-stitch", stitched(net, image, until, stride), stride**2 * multiplications(net)),
        Method("rarefied filters", run(rarefied, image, until), multiplications(rarefied)),
        Method("dilation", run(dilated, image, until), multiplications(dilated)),
    ]


def table(found: list[Method]) -> str:
    """A row a way; the difference is the largest from shift-and-stitch, relative to the largest output."""
    plain, stitch, *_ = found
    lines = [f"{'':17} {'output':>13} {'multiplications':>17} {'times':>8} {'difference':>11}"]
    for way in found:
        size = "×".join(map(str, way.output.shape))
        relative = way.multiplications / plain.multiplications
        difference = ""
        if way.output.shape == stitch.output.shape:
            difference = f"{np.abs(way.output - stitch.output).max() / np.abs(stitch.output).max():11.1e}"
        lines.append(f"{way.name:17} {size:>13} {way.multiplications:17,} {relative:8.1f} {difference}".rstrip())
    return "\n".join(lines)


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument(
        "--net",
        default=str(CHECKOUT / "nets/demo-classifier/conv.prototxt"),
        help="(default: %(default)s)",
    )
    parser.add_argument("--until", default="conv4_2", help="the layer whose output is made dense (default: conv4_2)")
    parser.add_argument("--weights", default="", help="a caffemodel")
    parser.add_argument("--outputs", type=int, default=4, help="pixels of the net's own output, on a side (default: 4)")
    options = parser.parse_args(arguments)
    program.quiet(caffe)
    message = caffe_pb2.NetParameter()
    text_format.Parse(Path(options.net).read_text(), message)
    print(table(ways(message, options.until, options.weights, options.outputs)))
    return 0
