"""The scores of a net for one image, and the classes of one of any size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import numpy as np
from PIL import Image

from fcn_caffe import names
from fcn_caffe.large import bands
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.pictures import drawing
from fcn_caffe.variants.loading import keep_no_blobs, load


def deploy_net(net_file: str, weights: str, score: str) -> Any:
    """A net that takes one image and has scores. Raises ValueError for any other."""
    net = keep_no_blobs(load(net_file, weights))
    channels = [net.blobs[name].shape[1] if len(net.blobs[name].shape) == 4 else 0 for name in net.inputs]
    if channels != [3]:
        found = ", ".join(f"{name} {'×'.join(map(str, net.blobs[name].shape))}" for name in net.inputs) or "no input"
        raise ValueError(
            f"'{net_file}' takes {found}, expected one image of three channels. Nets with depth or several inputs "
            "need a script of their own; nets with data layers are for fcn score."
        )
    if score not in net.blobs:
        raise names.unknown(score, f"blob of '{net_file}'", net.blobs, "Name a blob of the net with --score.")
    return net


def segment(
    net: Any,
    image: Image.Image,
    mean: tuple[float, ...] = MEAN,
    score: str = "score",
    max_side: Optional[int] = None,
) -> np.ndarray:
    """The scores of every class at every pixel, classes×height×width, of an RGB image. Several threads take turns.

    max_side: a larger image is computed with so many pixels along its longer side, and its scores enlarged again.
    A net whose layers say the sizes of maps sees the image on one of its own size, filled up by the mean.
    """
    return segment_all(net, [image], mean, score, max_side)[0]


def segment_all(
    net: Any,
    images: Sequence[Image.Image],
    mean: tuple[float, ...] = MEAN,
    score: str = "score",
    max_side: Optional[int] = None,
) -> np.ndarray:
    """The same of several images of one size in one pass: images×classes×height×width."""
    seen = [reduced(image, max_side) for image in images]
    colours = np.stack([np.asarray(image.convert("RGB"), np.float32)[:, :, ::-1] for image in seen])
    pixels = (colours - np.asarray(mean, np.float32)).transpose(0, 3, 1, 2)
    height, width = pixels.shape[2:]
    with getattr(net, "lock", contextlib.nullcontext()):  # BVLC Caffe's nets have none
        data = net.blobs[net.inputs[0]]
        if bands.has_one_size(net):
            _place(pixels, data)
        else:
            data.reshape(*pixels.shape)
            data.data[...] = pixels
        net.forward(blobs=[score])
        scores = net.blobs[score].data[:, :, :height, :width].copy()
    if seen[0].size == images[0].size or scores.shape[2:] != (height, width):
        return scores
    return np.stack([[_enlarged(each, images[0].size) for each in classes] for classes in scores])


def _place(pixels: np.ndarray, data: Any) -> None:
    """Put images, N×3×height×width, on the upper left of a net's input; what remains is the mean. Raises ValueError if
    they are larger."""
    height, width = pixels.shape[2:]
    most = tuple(data.shape)[2:]
    if height > most[0] or width > most[1]:
        raise ValueError(
            f"the image is {width}×{height} pixels, expected at most {most[1]}×{most[0]}: the sizes of maps stand in "
            "the layers of this net. Scale it down."
        )
    data.reshape(len(pixels), 3, *most)
    data.data[...] = 0
    data.data[:, :, :height, :width] = pixels


def reduced(image: Image.Image, max_side: Optional[int]) -> Image.Image:
    """The image, or a smaller one with `max_side` pixels along its longer side."""
    if max_side is None or max(image.size) <= max_side:
        return image
    width, height = (max(1, round(side * max_side / max(image.size))) for side in image.size)
    return image.resize((width, height), drawing.RESAMPLING.BILINEAR)


def _enlarged(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One class's scores at another size (width, height), bilinearly."""
    return np.asarray(Image.fromarray(scores).resize(size, drawing.RESAMPLING.BILINEAR))


def labels(
    net: Any,
    image: Image.Image,
    mean: tuple[float, ...] = MEAN,
    score: str = "score",
    max_side: Optional[int] = None,
) -> np.ndarray:
    """The class of the highest score at every pixel, height×width, of an RGB image of any size.

    The scores of a large image never exist as a whole, where Caffe's nets can stream. Several threads take turns.
    """
    computed = reduced(image, max_side)
    if computed is not image or image.width * image.height <= bands.LARGE or not bands.can_stream(net):
        return segment(net, image, mean, score, max_side).argmax(0)
    classes = net.blobs[score].shape[1]
    found = np.empty((image.height, image.width), np.uint8 if classes <= 256 else np.int32)
    for row, band in label_bands(net, np.asarray(image.convert("RGB")), mean, score):
        found[row : row + len(band)] = band
    return found


def label_bands(
    net: Any, pixels: bands.Pixels, mean: tuple[float, ...] = MEAN, score: str = "score"
) -> Iterator[tuple[int, np.ndarray]]:
    """The class of the highest score at every pixel of an RGB image, in bands: the number of the first row, and the
    band, rows×width. Raises ValueError for scores that have not the image's size. Several threads take turns."""
    source = bands.Planes(pixels, lambda image: (image - np.asarray(mean, np.float32)).transpose(2, 0, 1))
    return bands.stream_labels(net, source, score)
