"""Labels of an image in bands of rows, and for which nets and images they are computed so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional, Protocol

import numpy as np

LARGE = 1500 * 1500
"""Pixels; of larger images, the labels are computed in bands of rows, if nobody wants the scores."""

SIZED = ("Upsample", "Unpooling")
"""Types of layers that have a size as a setting."""


class Pixels(Protocol):
    """An RGB image, height×width×3 uint8, of which bands of rows can be read: pixels[first:last]."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice) -> np.ndarray: ...


class Planes:
    """An RGB image as a net sees it, of which bands of rows can be read: planes[:, first:last]."""

    def __init__(self, pixels: Pixels, prepare: Callable[[np.ndarray], np.ndarray]):
        """prepare: blue, green and red of some rows, rows×width×3, to what the net sees of them, 3×rows×width."""
        self._pixels, self._prepare = pixels, prepare
        self.shape = (3, *pixels.shape[:2])

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        channels, rows = key
        return self._prepare(self._pixels[rows][:, :, ::-1])[channels]


def has_one_size(net: Any) -> bool:
    """Whether the sizes of maps stand in a net's layers, so that it takes images of one size alone."""
    return any(layer.type in SIZED and any(getattr(layer, "wanted", None) or ()) for layer in net.layers)


def can_stream(net: Any) -> bool:
    """Whether a net computes an image in bands of rows: in this project's Caffe, if it takes images of any size."""
    return hasattr(net, "stream") and not has_one_size(net)


def stream_labels(
    net: Any, source: Any, score: str = "score", into: Optional[str] = None
) -> Iterator[tuple[int, np.ndarray]]:
    """The class of the highest score at every pixel of an image, in bands: the number of the first row, and the band,
    rows×width. source: the image as the net sees it, for net.stream, where it takes the place of the blob `into`
    (default: the only input). Raises ValueError for scores that have not the image's size. Several threads take turns.
    """
    with net.lock:
        stream = net.stream(source, blob=score, into=into)
        check_size(stream.shape[1:], source.shape[1:], score)
        for row, scores in stream:
            yield row, scores.argmax(0)


def check_size(found: Sequence[int], image: Sequence[int], score: str) -> None:
    """Raises ValueError for labels that are not of the image's size; both height, width, …"""
    if tuple(found[:2]) != tuple(image[:2]):
        raise ValueError(
            f"blob {score} is {found[0]}×{found[1]}, expected the image's {image[0]}×{image[1]}. Name the blob of "
            "scores at full size with --score."
        )
