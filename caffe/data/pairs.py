"""Batches of images and label pictures that a text file lists in pairs: for the layers of caffe/forks/data.py.

A sample is what `make` gives of a pair: arrays, one for each top. What is random is drawn in the pairs' order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe import ranks
from caffe.data import images, lists
from caffe.data.batch_sources import check_batch_size
from caffe.data.naming import naming
from caffe.data.random import Random, new_seed
from caffe.errors import DataError, NetError
from caffe.formats.pictures import FORMATS
from caffe.log import log
from caffe.shapes import shape_text

Sample = tuple[np.ndarray, ...]
Make = Callable[[np.ndarray, np.ndarray, Random, str], Sample]
"""Image (H×W×C uint8), label (H×W uint8), what to draw from, what to call it → the arrays of a sample."""


@dataclass
class Pairs:
    """Where pairs are listed, and how they are read."""

    param: Any
    """source, root_folder, batch_size, shuffle, rand_skip, new_height, new_width, is_color."""
    phase: int
    owner: str
    make: Make
    label_of: Callable[[str, np.ndarray], np.ndarray] | None = None
    """The label of a line's second word and the image, where it is no picture."""

    def __post_init__(self) -> None:
        param = self.param
        check_batch_size(param.batch_size, self.owner)
        if bool(param.new_height) != bool(param.new_width):
            raise NetError(
                f"{self.owner}: new_height is {param.new_height}, new_width is {param.new_width}. Current "
                "implementation requires new_height and new_width to be set at the same time."
            )
        with naming(self.owner):
            lines = lists.read_lines(param.source, f"Could not open {param.source}")
        self.lines = [self._split(line, f"{param.source}:{number}") for number, line in lines]
        if not self.lines:
            raise DataError(
                f"{self.owner}: File is empty: '{param.source}'. Expected `image label` a line."
                " Fill it, or name another list."
            )
        self._order = Random(new_seed()) if param.shuffle else None
        if self._order is not None:
            self._order.shuffle(self.lines)
        self._draws = Random(new_seed())
        self._next = new_seed() % param.rand_skip if param.rand_skip else 0
        if self._next >= len(self.lines):
            raise DataError(
                f"{self.owner}: Not enough points to skip: {self._next} of {len(self.lines)}. Lower rand_skip."
            )
        log.info("A total of %d images.", len(self.lines))
        self.first = self.make(*self._read(self.lines[self._next])[:2], Random(0), self._name(self.lines[self._next]))

    def _split(self, line: str, place: str) -> tuple[str, str]:
        words = line.split()
        if len(words) < 2 and self.label_of is None:
            raise DataError(
                f"{place}: '{line.strip()}' found, expected an image and a label picture. Correct the list."
            )
        return words[0], words[1] if len(words) > 1 else ""

    def _name(self, line: tuple[str, str]) -> str:
        return f"'{line[0]}'"

    def _read(self, line: tuple[str, str]) -> tuple[np.ndarray, np.ndarray, str]:
        param = self.param
        with naming(f"{self.owner}, '{param.source}'"):
            image = images.read(param.root_folder + line[0], param.is_color)
            label = None if self.label_of else label_picture(param.root_folder + line[1])
        if param.new_height:
            image = images.resize(image, param.new_height, param.new_width)
            label = None if label is None else nearest(label, param.new_height, param.new_width)
        if label is None:
            assert self.label_of is not None
            label = self.label_of(line[1], image)
        if label.shape != image.shape[:2]:
            raise DataError(
                f"{self.owner}: {self._name(line)} is {image.shape[0]}×{image.shape[1]}, its label {line[1]} "
                f"{label.shape[0]}×{label.shape[1]}. Make them equal."
            )
        return image, label, self._name(line)

    def _forever(self) -> Iterator[tuple[str, str]]:
        while True:
            yield self.lines[self._next]
            self._next += 1
            if self._next == len(self.lines):
                self._next = 0
                if self._order is not None:
                    self._order.shuffle(self.lines)

    def batches(self) -> Iterator[tuple[Any, ...]]:
        """For ever: an array for each top, and what to call each image."""
        lines = self._forever()
        if self._order is None:
            lines = ranks.shared_out(lines, self.phase)
        read = map(self._read, lines)
        while True:
            samples, names = [], []
            for image, label, name in (next(read) for _ in range(self.param.batch_size)):
                samples.append(self.make(image, label, self._draws, name))
                names.append(name)
            yield (*self._stacked(samples, names), names)

    def _stacked(self, samples: Sequence[Sample], names: Sequence[str]) -> list[np.ndarray]:
        first = [part.shape for part in samples[0]]
        for sample, name in zip(samples, names, strict=True):
            if [part.shape for part in sample] != first:
                raise DataError(
                    f"{self.owner}: {name} is {shape_text(sample[0].shape)}, the first of its batch "
                    f"{shape_text(first[0])} (channels×height×width). Give all images one size, use a "
                    "crop, or batch_size: 1."
                )
        return [np.stack(parts).astype(np.float32) for parts in zip(*samples, strict=True)]


def label_picture(path: str) -> np.ndarray:
    """H×W uint8: a picture's numbers; of one with a palette, the places in it."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.mode == "P":
                return np.asarray(picture).copy()
    except OSError:
        pass  # what is wrong the reader of images says
    return images.read(path, False)[..., 0]


def nearest(label: np.ndarray, height: int, width: int) -> np.ndarray:
    """A label picture in another size, as cv::resize does it with INTER_NEAREST."""
    rows = (np.arange(height) * (label.shape[0] / height)).astype(np.int64).clip(max=label.shape[0] - 1)
    columns = (np.arange(width) * (label.shape[1] / width)).astype(np.int64).clip(max=label.shape[1] - 1)
    return label[rows[:, None], columns]
