"""The receptive field of a position, by the net's geometry and measured on a photo (PAMI 2016, section 3).

    python -m analyses receptive_field photo.jpg --net nets/ilsvrc/squeezenet_v1.1/conv.prototxt \\
        --weights squeezenet_v1.1.caffemodel --blobs pool1 fire5/concat conv10
    python -m analyses receptive_field photo.jpg --net voc-fcn32s --blobs pool3 pool5 fc7

The second net is one that was trained here.

The box follows from kernels, strides and paddings. The gradient of the position's strongest channel, with respect to
the pixels, is measured on the photo: it is largest in the middle of the box, and nearly zero at its edge. Each cell of
the picture shows the box as a line, the size of the gradient as colour, and, dashed, the smallest square around the
position that holds 95 % of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
from google.protobuf import text_format
from PIL import Image, ImageDraw
from scipy import ndimage

import caffe
from caffe.proto import caffe_pb2
from fcn_caffe import names, program
from fcn_caffe.data_layers.segdata.files import read_image
from fcn_caffe.inference.find import find
from fcn_caffe.net_spec import geometry
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.pictures import drawing, lettering, outputs
from fcn_caffe.variants.build import build

HELD = 0.95
"""The share of the gradient's size that the dashed square holds."""
CELL, MARGIN = 320, 8
HOT = np.array([255, 120, 0])


class Seen(NamedTuple):
    """What a position of a blob sees.

    box: left, top, right, bottom, in pixels, of what it can see; it may reach beyond the image. centre: its middle.
    gradient: its size at every pixel, height×width, 1 in sum. held: the side of the square around the middle with HELD
    of it.
    """

    blob: str
    box: tuple[int, int, int, int]
    centre: tuple[float, float]
    gradient: np.ndarray
    held: int


def seen(message: Any, net: Any, blob: str, at: tuple[int, int]) -> Seen:
    """What the position of `blob` sees whose box is centred nearest to the pixel `at` (x, y), of the image in the net.

    message: the net's NetParameter, with force_backward. Raises ValueError for a blob that the net does not have, or
    that has no box.
    """
    if blob not in net.blobs:
        raise names.unknown(blob, "blob of the net", net.blobs, "Name others with --blobs.")
    shape = net.blobs[blob].data.shape
    column, row = (
        min(range(size), key=lambda position: abs(sum(geometry.place(message, blob, position)) / 2 - middle))
        for size, middle in ((shape[3], at[0]), (shape[2], at[1]))
    )
    (left, right), (top, bottom) = (geometry.place(message, blob, position) for position in (column, row))
    channel = int(net.blobs[blob].data[0, :, row, column].argmax())
    for other in net.blobs:
        net.blobs[other].diff[...] = 0
    net.blobs[blob].diff[0, channel, row, column] = 1
    net.backward(start=_last_layer(net, blob))
    gradient = np.abs(net.blobs["data"].diff[0]).sum(0).astype(np.float64)
    if not gradient.any():
        raise ValueError(
            f"the strongest channel of {blob} at column {column}, row {row} has no gradient: none of its inputs is "
            "active. Name another place with --at."
        )
    gradient /= gradient.sum()
    centre = (left + right) / 2, (top + bottom) / 2
    return Seen(blob, (left, top, right, bottom), centre, gradient, _held(gradient, centre))


def _last_layer(net: Any, blob: str) -> str:
    """The last layer that writes a blob, in place or not."""
    return [name for name in net._layer_names if blob in net.top_names[name]][-1]


def _held(gradient: np.ndarray, centre: tuple[float, float]) -> int:
    """The side of the smallest square around a place that holds HELD of the gradient."""
    y, x = np.indices(gradient.shape) + 0.5
    distance = np.maximum(np.abs(x - centre[0]), np.abs(y - centre[1])).ravel()
    order = np.argsort(distance, kind="stable")
    reached = np.searchsorted(np.cumsum(gradient.ravel()[order]), HELD)
    return int(np.ceil(2 * distance[order[min(reached, len(order) - 1)]]))


def picture(photo: Image.Image, found: Sequence[Seen]) -> Image.Image:
    """A cell for each blob: the darkened photo, the gradient over it, both boxes, and their sizes as text."""
    scale = max(1.0, CELL / min(photo.size))
    size = round(photo.width * scale), round(photo.height * scale)
    line = lettering.SIZE + 5
    canvas = Image.new("RGB", ((size[0] + MARGIN) * len(found) + MARGIN, size[1] + 3 * line + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for index, each in enumerate(found):
        left = MARGIN + index * (size[0] + MARGIN)
        canvas.paste(_cell(photo, each, scale, size), (left, 2 * line))
        width, height = each.box[2] - each.box[0], each.box[3] - each.box[1]
        lettering.write(draw, (left, 2), f"{each.blob}: can see {width}×{height} pixels")
        held = f"{HELD:.0%} of the gradient within {each.held}×{each.held}"
        lettering.write(draw, (left, 2 + line), lettering.shortened(held, size[0]))
    lettering.write(draw, (MARGIN, size[1] + 2 * line + 4), "line: what it can see; dashed: where the gradient is")
    return canvas


def _cell(photo: Image.Image, each: Seen, scale: float, size: tuple[int, int]) -> Image.Image:
    heat = ndimage.gaussian_filter(each.gradient, max(1.0, each.held / 40))
    heat = np.sqrt(heat / heat.max())[..., None]
    pixels = np.asarray(photo.convert("RGB"), np.float64)
    mixed = Image.fromarray(((1 - heat) * 0.55 * pixels + heat * HOT).astype(np.uint8))
    cell = mixed.resize(size, drawing.RESAMPLING.BILINEAR)
    draw = ImageDraw.Draw(cell)
    _square(draw, [scale * edge for edge in each.box], size)
    reach = each.held / 2
    (x, y) = each.centre
    _square(draw, [scale * edge for edge in (x - reach, y - reach, x + reach, y + reach)], size, dash=6)
    return cell


def _square(draw: Any, box: Sequence[float], size: tuple[int, int], dash: Optional[int] = None) -> None:
    """A white line with a black one inside, so that it shows everywhere; it stays in the image."""
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(size[0] - 1, round(box[2]) - 1), min(size[1] - 1, round(box[3]) - 1)
    for inset, colour in ((0, "white"), (1, "white"), (2, "black")):
        ends = left + inset, top + inset, right - inset, bottom - inset
        if dash is None:
            draw.rectangle(ends, outline=colour)
            continue
        for x in range(ends[0], ends[2], 2 * dash):
            for y in (ends[1], ends[3]):
                draw.line((x, y, min(x + dash, ends[2]), y), fill=colour)
        for y in range(ends[1], ends[3], 2 * dash):
            for x in (ends[0], ends[2]):
                draw.line((x, y, x, min(y + dash, ends[3])), fill=colour)


def table(found: Sequence[Seen]) -> str:
    """A row a blob."""
    lines = [f"{'blob':20} {'can see':>11} {f'{HELD:.0%} within':>11} {'share of the box':>17}"]
    for each in found:
        side = each.box[2] - each.box[0]
        lines.append(
            f"{each.blob:20} {f'{side}×{side}':>11} {f'{each.held}×{each.held}':>11} {(each.held / side) ** 2:17.1%}"
        )
    return "\n".join(lines)


def _net(options: Any, photo: np.ndarray) -> tuple[Any, Any]:
    """The NetParameter and the net, which has seen the photo."""
    net_file, weights, mean = options.net, options.weights, MEAN
    if not net_file.endswith(".prototxt"):
        own = find(net_file, weights=weights)
        net_file, weights, mean = own.net_file, own.weights, own.mean
    elif not weights:
        raise ValueError(f"--net {net_file}: a prototxt alone, expected its weights, too. Give --weights.")
    message = caffe_pb2.NetParameter()
    text_format.Parse(Path(net_file).read_text(encoding="utf-8"), message)
    message.force_backward = True
    message.layer[0].input_param.shape[0].dim[:] = [1, 3, *photo.shape[:2]]
    net = build(message, weights)
    net.blobs["data"].data[0] = (photo[:, :, ::-1] - np.asarray(mean, np.float32)).transpose(2, 0, 1)
    net.forward()
    return message, net


@program.command
def main(arguments: list[str] | None = None) -> int:
    parser = program.parser(__doc__)
    parser.add_argument("photo")
    parser.add_argument("--net", required=True, help="a deploy prototxt, or a net that was trained here by its name")
    parser.add_argument("--weights", help="a caffemodel")
    parser.add_argument("--blobs", nargs="+", required=True, help="whose positions are looked at")
    parser.add_argument("--at", type=int, nargs=2, metavar=("X", "Y"), help="the pixel (default: the photo's middle)")
    parser.add_argument("--out", type=Path, default=Path("out/receptive_field.png"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    program.quiet(caffe)
    outputs.check([options.out], [Path(options.photo)], "Name another file with --out.")
    photo = read_image(options.photo)
    message, net = _net(options, photo)
    at = tuple(options.at) if options.at else (photo.shape[1] // 2, photo.shape[0] // 2)
    found = [seen(message, net, blob, (at[0], at[1])) for blob in options.blobs]
    print(table(found))
    outputs.save_picture(picture(Image.fromarray(photo), found), options.out)
    print(f"wrote {options.out}")
    return 0
