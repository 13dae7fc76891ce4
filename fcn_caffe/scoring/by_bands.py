"""Labelled images that are too large for scores as a whole: they are counted in bands of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import numpy as np

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.layer import SegDataLayer, planes
from fcn_caffe.large import bands, tiff
from fcn_caffe.scoring import metrics


def large(net: Any, heads: dict[str, str], names: Sequence[str]) -> set[str]:
    """Those of the images of a net's data layer that are counted in bands: larger than `bands.LARGE`, on a net that
    streams, from a data layer that gives images as they are.

    heads: for each blob of labels the blob of scores.
    """
    layer = net.layers[0]
    if not (isinstance(layer, SegDataLayer) and bands.can_stream(net)):
        return set()
    tops = _tops(net)
    if layer.top_of_images is None or not set(heads) <= set(tops) or _seen(net, heads) != {_images(net)}:
        return set()
    return {name for name in names if _pixel_count(layer, name) > bands.LARGE}


@contextlib.contextmanager
def without(layer: Any, names: set[str]) -> Iterator[None]:
    """While this lasts, a data layer has none of these images; afterwards it begins with its first."""
    if not names:
        yield
        return
    whole = layer.indices
    layer.indices = [name for name in whole if name not in names]
    try:
        yield
    finally:
        layer.indices = whole
        layer.set_state({**layer.state(), "position": 0})


def counted(
    net: Any, heads: dict[str, str], name: str, *, keep: bool
) -> Iterator[tuple[str, Optional[np.ndarray], np.ndarray]]:
    """For each blob of labels the predicted ones of an image, height×width (keep; else None), and their matrix: true
    class × predicted class. Raises ValueError and FileNotFoundError for files that cannot be used."""
    layer, tops = net.layers[0], _tops(net)
    with _opened(layer, name) as pixels:
        source = bands.Planes(pixels, lambda image: planes(image, layer.mean))
        truths = layer.load_beside(name, source.shape)
        for label, score in heads.items():
            truth = truths[tops[label]].reshape(source.shape[1:])
            classes = net.blobs[score].shape[1]
            hist = np.zeros((classes, classes), np.int64)
            predicted = np.empty(truth.shape, np.uint8 if classes <= 256 else np.int32) if keep else None
            for row, band in bands.stream_labels(net, source, score, _images(net)):
                rows = slice(row, row + len(band))
                hist += metrics.confusion(truth[rows].astype(np.int64), band, classes)
                if predicted is not None:
                    predicted[rows] = band
            yield label, predicted, hist


def _tops(net: Any) -> dict[str, str]:
    """The tops of the data layer: the blob's name, and what the layer calls it."""
    return dict(zip(net.top_names[net._layer_names[0]], net.layers[0].top_names))


def _images(net: Any) -> str:
    """The blob of the images."""
    return next(blob for blob, top in _tops(net).items() if top == net.layers[0].top_of_images)


def _seen(net: Any, heads: dict[str, str]) -> set[str]:
    """The tops of the data layer that the scores are computed from."""
    needed = set(heads.values())
    for name in net._layer_names[:0:-1]:
        if needed & set(net.top_names[name]):
            needed |= set(net.bottom_names[name])
    return needed & set(_tops(net))


def _pixel_count(layer: SegDataLayer, name: str) -> int:
    """0 for an image that cannot be read, of which the data layer says what is wrong."""
    path = layer.image_file(name)
    try:
        height, width = tiff.size(path) or files.look(path).size
    except (ValueError, OSError):
        return 0
    return height * width


@contextlib.contextmanager
def _opened(layer: SegDataLayer, name: str) -> Iterator[bands.Pixels]:
    path = layer.image_file(name)
    if tiff.size(path):
        with tiff.TiffRows(path, layer.upright) as pixels:
            yield pixels
    else:
        yield files.read_image(path, layer.upright)
