"""Windows of images, as R-CNN is trained on: so many of objects and so many of background in every batch.

WindowDataLayer (src/caffe/layers/window_data_layer.cpp). The list is a text file, for each image:

    # image_index
    path
    channels
    height
    width
    number of windows
    class overlap x1 y1 x2 y2          (for each window)
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from caffe.data import images, lists
from caffe.data.batch_sources import Batch, check_batch_size
from caffe.data.naming import naming
from caffe.data.random import Random, new_seed
from caffe.data.transformer import DataTransformer
from caffe.errors import DataError, NetError
from caffe.limits import check_count
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.shapes import Shape

Box = tuple[int, int, int, int]
"""x1, y1, x2, y2: the corners, both inside."""


@dataclass(frozen=True)
class LabelledBox:
    """A box in the image number `image`, and its class (0: background)."""

    image: int
    label: int
    box: Box


@dataclass(frozen=True)
class Fit:
    """The part of an image that a window shows (`box`), the height and width it is warped to, and the rows and columns
    of the crop that stay empty above it and to its left."""

    box: Box
    size: tuple[int, int]
    top: int = 0
    left: int = 0


class WindowSource:
    """Random windows, background first, then `fg_fraction` of the batch from objects."""

    def __init__(self, param: caffe_pb2.WindowDataParameter, transformer: DataTransformer):
        self._param = param
        self._transformer = transformer
        self._crop_size = transformer.crop_size
        if self._crop_size <= 2 * param.context_pad:
            raise NetError(
                f"{transformer.owner}: transform_param.crop_size is {self._crop_size}, expected: crop_size > 0, and "
                f"more than twice the context_pad of {param.context_pad}. Set it."
            )
        if not 0 <= param.fg_fraction <= 1:
            raise NetError(
                f"{transformer.owner}: window_data_param.fg_fraction is {param.fg_fraction:g}, expected a share of the "
                "batch, from 0 to 1. Correct it."
            )
        size = (param.batch_size, 3, self._crop_size, self._crop_size)
        check_count(size, "a batch of windows", transformer.owner, "batch_size or crop_size")
        self._random = Random(new_seed())
        self._files, windows = read_window_file(param.source, param.root_folder, transformer.owner)
        self._objects, self._background = self._sorted_out(windows)
        self._batch_size = check_batch_size(param.batch_size, transformer.owner)
        self._contents: list[bytes] | None = None
        if param.cache_images:
            with naming(f"{transformer.owner}, '{param.source}'"):
                self._contents = [images.content_of(file) for file in self._files]
        self.shape: Shape = (self._batch_size, 3, self._crop_size, self._crop_size)

    def _sorted_out(self, windows: list[tuple[LabelledBox, float]]) -> tuple[list[LabelledBox], list[LabelledBox]]:
        """Windows of objects and windows of background, by their overlap with an object."""
        objects, background = [], []
        for window, overlap in windows:
            if overlap >= np.float32(self._param.fg_threshold):
                if window.label <= 0:
                    raise DataError(
                        f"{self._transformer.owner}: '{self._param.source}' gives class {window.label} to a window of "
                        f"'{self._files[window.image]}' with overlap {overlap:g}, expected: label > 0 for an object."
                        " Correct the class or the overlap."
                    )
                objects.append(window)
            elif overlap < np.float32(self._param.bg_threshold):
                background.append(LabelledBox(window.image, 0, window.box))
        for label, count in sorted(Counter(window.label for window in [*background, *objects]).items()):
            log.info("class %d has %d samples", label, count)
        for kind, found in (("object", objects), ("background", background)):
            if not found:
                raise DataError(
                    f"{self._transformer.owner}: '{self._param.source}' has no {kind} window, expected at least one. "
                    "Look at the overlaps and at fg_threshold and bg_threshold."
                )
        return objects, background

    def batches(self, *, threads: bool) -> Iterator[Batch]:
        """Made by one thread: which window comes next is drawn as they are cut."""
        objects = int(np.float32(self._batch_size) * np.float32(self._param.fg_fraction))
        while True:
            data, labels = np.zeros(self.shape, np.float32), np.zeros(self._batch_size, np.float32)
            names = []
            for index in range(self._batch_size):
                kind = self._background if index < self._batch_size - objects else self._objects
                window = kind[self._random.below(len(kind))]
                mirrored = self._transformer.mirror and bool(self._random.below(2))
                self._put(window, mirrored, data[index])
                labels[index] = window.label
                names.append(f"'{self._files[window.image]}'")
            yield data, labels, names

    def _image(self, number: int) -> np.ndarray:
        name = self._files[number]
        with naming(f"{self._transformer.owner}, '{self._param.source}'"):
            if self._contents is None:
                return images.read(name)
            return images.decode(self._contents[number], True, name)

    def _put(self, window: LabelledBox, mirrored: bool, target: np.ndarray) -> None:
        """Warp a window into its place in the batch, C×crop×crop."""
        image = self._image(window.image)
        height, width = image.shape[:2]
        fit = self._fit(window, width, height, mirrored)
        x1, y1, x2, y2 = fit.box
        if not (0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height) or min(fit.size) <= 0:
            raise DataError(
                f"{self._transformer.owner}: window {window.box} of '{self._files[window.image]}' is not inside the "
                f"image, {width}×{height} (width×height). Correct '{self._param.source}'."
            )
        warped = images.resize(image[y1 : y2 + 1, x1 : x2 + 1], *fit.size).transpose(2, 0, 1)
        values = (warped[:, :, ::-1] if mirrored else warped).astype(np.float32)
        rows = slice(fit.top, fit.top + fit.size[0])
        columns = slice(fit.left, fit.left + fit.size[1])
        values -= self._transformer.mean_of_crop(self.shape[1:])[:, rows, columns]
        target[:, rows, columns] = values * np.float32(self._param.scale)

    def _fit(self, window: LabelledBox, width: int, height: int, mirrored: bool) -> Fit:
        """With a context, or with square windows, the window grows so that `context_pad` pixels of the crop show what
        is around it; what is outside of the image stays empty."""
        crop, pad, square = self._crop_size, self._param.context_pad, self._param.crop_mode == "square"
        x1, y1, x2, y2 = window.box
        if not pad and not square:
            return Fit(window.box, (crop, crop))
        growth = np.float32(crop) / np.float32(crop - 2 * pad)
        half_height, half_width = np.float32(y2 - y1 + 1) / 2, np.float32(x2 - x1 + 1) / 2
        centre_x, centre_y = np.float32(x1) + half_width, np.float32(y1) + half_height
        if square:
            half_height = half_width = max(half_height, half_width)
        x1, x2 = _round(centre_x - half_width * growth), _round(centre_x + half_width * growth)
        y1, y2 = _round(centre_y - half_height * growth), _round(centre_y + half_height * growth)
        scale_x, scale_y = np.float32(crop) / np.float32(x2 - x1 + 1), np.float32(crop) / np.float32(y2 - y1 + 1)
        left, top = max(0, -x1), max(0, -y1)
        right, bottom = max(0, x2 - width + 1), max(0, y2 - height + 1)
        box = (x1 + left, y1 + top, x2 - right, y2 - bottom)
        warped_width = _round(np.float32(box[2] - box[0] + 1) * scale_x)
        warped_height = _round(np.float32(box[3] - box[1] + 1) * scale_y)
        pad_top = _round(np.float32(top) * scale_y)
        pad_left = _round(np.float32(right if mirrored else left) * scale_x)
        size = (min(warped_height, crop - pad_top), min(warped_width, crop - pad_left))
        return Fit(box, size, pad_top, pad_left)


def _round(value: np.float32) -> int:
    """C's round: halves go away from zero."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))


def read_window_file(path: str, root: str, owner: str) -> tuple[list[str], list[tuple[LabelledBox, float]]]:
    """The image files, and all windows with their overlaps."""
    with naming(owner):
        words = iter(lists.read_words(path, f"Failed to open window file {path}"))
    files: list[str] = []
    windows: list[tuple[LabelledBox, float]] = []
    try:
        for mark in words:
            if mark != "#":
                raise ValueError(f"'{mark}' found, expected '#'")
            index, file, channels, _, _, count = _take(words, 6)
            if int(index) != len(files):
                raise ValueError(f"image_index {index} found, expected {len(files)}: count from 0 on")
            if int(channels) != 3:
                raise ValueError(f"'{file}' has {channels} channels, expected 3: images are read in colour")
            for _ in range(int(count)):
                label, overlap, x1, y1, x2, y2 = _take(words, 6)
                window = LabelledBox(len(files), int(label), (int(x1), int(y1), int(x2), int(y2)))
                windows.append((window, float(np.float32(overlap))))
            with naming(owner):
                lists.check_name(root + file, f"'{path}', image {len(files)}")
            files.append(root + file)
    except ValueError as error:
        raise DataError(f"{owner}: '{path}', image {len(files)}: {error}. Correct the file.") from error
    if not files:
        raise DataError(f"{owner}: Window file is empty: '{path}'. Add images with their windows.")
    log.info("Number of images: %d", len(files))
    return files, windows


def _take(words: Iterator[str], count: int) -> list[str]:
    taken = list(islice(words, count))
    if len(taken) < count:
        raise ValueError(f"{count} more words expected, the file ends after {len(taken)}")
    return taken
