"""Data: images with a label picture each, and MATLAB's files."""

import os
from typing import Any

import numpy as np

from caffe.blob import Blob
from caffe.data import images, lists
from caffe.data.pairs import Pairs, Sample, nearest
from caffe.data.random import Random
from caffe.errors import DataError, NetError
from caffe.formats import binaryproto
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Handling, NativeLayer, Traits
from caffe.layer_types.helpers.source_layer import SourceLayer, fill
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

NONE, IMAGE = caffe_pb2.ImageDataParameter.NONE, caffe_pb2.ImageDataParameter.IMAGE
LARGEST_PICTURE_VALUE = 255


class _PairsLayer(SourceLayer):
    """Reads pairs, and gives an array of each sample to each top."""

    crop: tuple[int, int]

    def start(self, pairs: Pairs, top: list[Blob]) -> None:
        for blob, part in zip(top, pairs.first, strict=False):
            blob.reshape(pairs.param.batch_size, *part.shape)
        self._batches = pairs.batches()

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        *arrays, _ = next(self._batches)
        fill(top, arrays[: len(top)])

    def cropped(
        self, image: np.ndarray, label: np.ndarray, draw: Random, *, mirror: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same part of both (C×H×W and H×W): at random in TRAIN, the middle in TEST; mirrored by a coin's toss."""
        height, width = (wanted or size for wanted, size in zip(self.crop, label.shape, strict=True))
        room = (label.shape[0] - height, label.shape[1] - width)
        if min(room) < 0:
            raise DataError(
                f"{self}: an image is {label.shape[0]}×{label.shape[1]}, the crop {height}×{width}. Make the crop "
                "smaller."
            )
        train = self.phase == caffe_pb2.TRAIN
        mirrored = mirror and bool(draw.below(2))
        top, left = ((draw.below(each + 1) if train else each // 2) if each else 0 for each in room)
        image, label = image[:, top : top + height, left : left + width], label[top : top + height, left : left + width]
        return (image[:, :, ::-1], label[:, ::-1]) if mirrored else (image, label)


@register_layer
class ImageSegData(_PairsLayer):
    """Images and their label pictures from files (DeepLab, PSPNet).

    y[0] = scale · (image − mean), y[1] = label: both scaled by one of scale_factors at random, padded at the bottom
        and at the right by the mean and by ignore_label up to the crop's size, cropped and mirrored alike
    bottom: none
    top: data (N, C, h, w), labels (N, 1, h, w), if named height and width of the image, at most the crop's (N, 1, 1, 2)
    parameters: image_data_param: source (`image label` a line), root_folder, batch_size, new_height, new_width,
        is_color, shuffle, rand_skip, label_type (IMAGE: a number; PIXEL: a picture; NONE), ignore_label (255);
        transform_param: scale, mean_value, mirror, crop_size or crop_height and crop_width (crop_h, crop_w),
        scale_factors
    restrictions: mean_file is refused, as there
    source: DeepLab v2: src/caffe/layers/image_seg_data_layer.cpp; random draws are others
    """

    tops = (2, 3)
    settings = ("image_data_param", "transform_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param, transform = self.layer_param.image_data_param, self.layer_param.transform_param
        if transform.mean_file:
            raise NetError(f"{self}: ImageSegDataLayer does not support mean file. Give mean_value.")
        self.crop = (
            transform.crop_height or transform.crop_h or transform.crop_size,
            transform.crop_width or transform.crop_w or transform.crop_size,
        )
        if bool(self.crop[0]) != bool(self.crop[1]):
            raise NetError(f"{self}: crop_height is {self.crop[0]}, crop_width {self.crop[1]}. Give both.")
        self.transform, self.ignore_label = transform, param.ignore_label
        by_line = {NONE: lambda word, image: self._filled(self.ignore_label, image), IMAGE: self._of_number}
        self.start(Pairs(param, self.phase, str(self), self._sample, by_line.get(param.label_type)), top)

    def _filled(self, value: int, image: np.ndarray) -> np.ndarray:
        return np.full(image.shape[:2], value, np.uint8)

    def _of_number(self, word: str, image: np.ndarray) -> np.ndarray:
        if not word.isdigit() or int(word) > LARGEST_PICTURE_VALUE:
            raise DataError(
                f"{self}: label '{word}' found, expected a number 0 … {LARGEST_PICTURE_VALUE}: label_type is IMAGE. "
                "For label pictures write label_type: PIXEL."
            )
        return self._filled(int(word), image)

    def _sample(self, image: np.ndarray, label: np.ndarray, draw: Random, name: str) -> Sample:
        factors = list(self.transform.scale_factors)
        if factors:
            factor = factors[draw.below(len(factors))]
            height, width = (max(int(size * factor), 1) for size in label.shape)
            image, label = images.resize(image, height, width), nearest(label, height, width)
        values = image.transpose(2, 0, 1).astype(np.float32)
        mean = np.array(self.transform.mean_value, np.float32)
        if mean.size not in (0, 1, len(values)):
            raise NetError(f"{self}: {mean.size} mean_values for {len(values)} channels. Give one, or as many.")
        values = (values - mean.reshape(-1, 1, 1)) if mean.size else values
        values *= np.float32(self.transform.scale)
        size = [min(have, wanted or have) for have, wanted in zip(label.shape, self.crop, strict=True)]
        lower, right = (max(wanted - have, 0) for have, wanted in zip(label.shape, self.crop, strict=True))
        values = np.pad(values, ((0, 0), (0, lower), (0, right)))
        padded = np.pad(label.astype(np.float32), ((0, lower), (0, right)), constant_values=self.ignore_label)
        values, padded = self.cropped(values, padded, draw, mirror=self.transform.mirror)
        return values, padded[None], np.array(size, np.float32).reshape(1, 1, 2)


@register_layer
class DenseImageData(_PairsLayer):
    """Images and their label pictures from files (SegNet, ENet).

    y[0] = image − mean, y[1] = label / label_divide_factor: cropped and mirrored alike
    bottom: none
    top: data (N, C, h, w), labels (N, 1, h, w)
    parameters: source (`image label` a line), root_folder, batch_size (1), shuffle, rand_skip, new_height, new_width,
        is_color, mean_file, mirror, crop_width, crop_height, label_divide_factor (1)
    source: SegNet: src/caffe/layers/dense_image_data_layer.cpp; random draws are others
    """

    tops = 2
    settings = "dense_image_data_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.param, self.crop = param, (param.crop_height, param.crop_width)
        self.mean = binaryproto.read(param.mean_file) if param.mean_file else None
        if self.mean is not None:
            self.mean = self.mean.reshape(-1, *self.mean.shape[-3:])[0]
        self.start(Pairs(param, self.phase, str(self), self._sample), top)

    def _sample(self, image: np.ndarray, label: np.ndarray, draw: Random, name: str) -> Sample:
        values = image.transpose(2, 0, 1).astype(np.float32)
        if self.mean is not None:
            if self.mean.shape != values.shape:
                raise DataError(
                    f"{self}: {name} is {shape_text(values.shape)}, the mean {shape_text(self.mean.shape)}. "
                    "Make them equal."
                )
            values = values - self.mean
        labels = label.astype(np.float32) / np.float32(self.param.label_divide_factor)
        values, labels = self.cropped(values, np.trunc(labels), draw, mirror=self.param.mirror)
        return values, labels[None]


@register_layer
class ImageLabelmapData(_PairsLayer):
    """Images and their maps of edges from files (HED).

    y[0] = scale · (image − mean), y[1] = label / 255, rounded
    bottom: none
    top: data (N, C, h, w), labels (N, 1, h, w)
    parameters: image_data_param: source (`image label` a line), root_folder, batch_size, shuffle, rand_skip,
        new_height, new_width, is_color; transform_param: scale, mean_value, mirror, crop_size
    source: HED: src/caffe/layers/image_labelmap_data_layer.cpp; random draws are others
    """

    tops = 2
    settings = ("image_data_param", "transform_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param, self.transform = self.layer_param.image_data_param, self.layer_param.transform_param
        if self.transform.mean_file:
            raise NetError(f"{self}: mean_file is not implemented here. Give mean_value.")
        self.crop = (self.transform.crop_size, self.transform.crop_size)
        self.start(Pairs(param, self.phase, str(self), self._sample), top)

    def _sample(self, image: np.ndarray, label: np.ndarray, draw: Random, name: str) -> Sample:
        values = image.transpose(2, 0, 1).astype(np.float32)
        if self.transform.mean_value:
            values = values - np.array(self.transform.mean_value, np.float32).reshape(-1, 1, 1)
        edges = np.floor(label.astype(np.float32) / LARGEST_PICTURE_VALUE + np.float32(0.5))
        values, edges = self.cropped(
            values * np.float32(self.transform.scale), edges, draw, mirror=self.transform.mirror
        )
        return values, edges[None]


def _names(layer: NativeLayer, param: Any) -> list[str]:
    """The names in the list `source`, without their last `strip` characters."""
    if not param.source:
        return []
    words = [line.split()[0] for _, line in lists.read_lines(param.source, f"{layer}: Failed to open {param.source}")]
    if short := [word for word in words if len(word) <= param.strip]:
        raise DataError(
            f"{layer}: '{short[0]}' of '{param.source}' has no more than {param.strip} characters: too much stripping."
            " Lower `strip`."
        )
    return [word[: len(word) - param.strip] for word in words]


@register_layer
class MatWrite(NativeLayer):
    """Writes its bottoms into MATLAB files, one for each bottom and pass.

    y: none; <prefix><name>_blob_<i>.mat = x_i as `data`, single, width × height × channels × number
    bottom: any number, of at most 4 axes
    top: none
    parameters: prefix, source (names, one a line and a pass; without it iter_<pass>), strip (0: characters cut off the
        names' ends), period (1: every so many passes)
    source: DeepLab: src/caffe/layers/mat_write_layer.cpp
    """

    bottoms = (1, None)
    tops = 0
    settings = "mat_write_param"
    traits = Traits(handling=Handling.MOVED)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        if not param.HasField("prefix") or param.period < 1:
            raise NetError(f"{self}: prefix is '{param.prefix}', period {param.period}; both are required. Set them.")
        self.names, self.passes = _names(self, param), 0

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        from scipy.io import savemat

        number, self.passes = self.passes, self.passes + 1
        if number % self.message.period:
            return
        if self.names and number >= len(self.names):
            raise DataError(
                f"{self}: pass {number + 1:,} of {len(self.names):,} names in '{self.message.source}'. Test has run "
                "for more iterations than it was supposed to."
            )
        name = self.names[number] if self.names else f"iter_{number}"
        for index, blob in enumerate(bottom):
            path = f"{self.message.prefix}{name}_blob_{index}.mat"
            values = blob.data.reshape((1,) * (4 - len(blob.shape)) + blob.shape)
            try:
                savemat(path, {"data": values.transpose(3, 2, 1, 0)})
            except OSError as error:
                raise DataError(f"{self}: '{path}' cannot be written: {error.strerror}. Correct `prefix`.") from error

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None: ...


@register_layer
class MatRead(SourceLayer):
    """Reads its tops from MATLAB files, as MatWrite writes them.

    y_i = `data` of <prefix><name>_blob_<i>.mat, of batch_size names one after the other
    bottom: none
    top: (batch_size · number, channels, height, width), one for each blob
    parameters: prefix, source (names, one a line; after the last comes the first), strip (0), batch_size (1)
    source: DeepLab: src/caffe/layers/mat_read_layer.cpp
    """

    tops = (1, None)
    settings = "mat_read_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.names, self.next = _names(self, param), 0
        if not self.names or param.batch_size < 1:
            raise NetError(
                f"{self}: source is '{param.source}', batch_size {param.batch_size}; both are required. Set them."
            )
        for index, blob in enumerate(top):
            shape = self._read(self.names[0], index).shape
            blob.reshape(param.batch_size * shape[0], *shape[1:])

    def _read(self, name: str, index: int) -> np.ndarray:
        from scipy.io import loadmat

        path = f"{self.message.prefix}{name}_blob_{index}.mat"
        try:
            values = loadmat(path)["data"]
        except (OSError, KeyError, ValueError, NotImplementedError) as error:
            raise DataError(
                f"{self}: '{os.path.abspath(path)}' cannot be read: {error}. Expected a MATLAB 5 file with `data`."
                " Replace the file."
            ) from error
        values = values.reshape(values.shape + (1,) * (4 - values.ndim))
        return np.ascontiguousarray(values.transpose(3, 2, 1, 0), np.float32)

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        chosen = [self.names[(self.next + step) % len(self.names)] for step in range(self.message.batch_size)]
        self.next = (self.next + len(chosen)) % len(self.names)
        fill(top, [np.concatenate([self._read(name, index) for name in chosen]) for index in range(len(top))])
