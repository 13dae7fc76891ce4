"""From a stored image to what a data layer puts into its blob: crop, mirror, subtract a mean, scale.

DataTransformer (src/caffe/data_transformer.cpp). Images are C×H×W arrays, uint8 or float32; results are float32.
"""

import numpy as np

from caffe.data import images
from caffe.data.random import Random, new_seed
from caffe.errors import DataError, NetError
from caffe.formats import binaryproto
from caffe.log import log
from caffe.proto import caffe_pb2
from caffe.shapes import Shape, shape_text


class DataTransformer:
    """Applies a TransformationParameter. Crops are random in TRAIN and central in TEST; mirrors are random in both.

    `owner` names the layer in errors. Raises NetError for contradictory settings, DataError for images that do not fit.
    """

    def __init__(self, param: caffe_pb2.TransformationParameter, phase: int, owner: str):
        self.phase = phase
        self.owner = owner
        self.scale = np.float32(param.scale)
        self.crop_size: int = param.crop_size
        self.mirror: bool = param.mirror
        self.crops_at_random = phase == caffe_pb2.TRAIN and self.crop_size > 0
        self.force_color: bool = param.force_color
        self.force_gray: bool = param.force_gray
        self.mean_values = np.array(param.mean_value, np.float32)
        self.mean_file: str = param.mean_file
        self._mean: np.ndarray | None = None
        self._random: Random | None = None
        if param.mean_file and param.mean_value:
            raise NetError(f"{owner}: Cannot specify mean_file and mean_value at the same time. Remove one of them.")
        if param.mean_file:
            log.info("Loading mean file from: %s", param.mean_file)
            mean = binaryproto.read(param.mean_file)
            self._mean = mean.reshape(-1, *mean.shape[-3:])[0]

    def start_random(self) -> None:
        """Draw a seed for crops and mirrors, if any will be drawn (InitRand)."""
        if self.mirror or self.crops_at_random:
            self._random = Random(new_seed())

    def top_shape(self, image: Shape, name: str) -> Shape:
        """The C×H×W that an image of this shape is transformed to; `name` says in errors which image it is."""
        channels, height, width = image
        crop = self.crop_size
        if height < crop or width < crop:
            raise DataError(
                f"{self.owner}: {name} is {width}×{height} (width×height), crop_size is {crop}: "
                f"{'datum_height' if height < crop else 'datum_width'} >= crop_size does not hold. "
                "Resize the images, or lower crop_size."
            )
        return (channels, crop, crop) if crop else image

    def apply(self, image: np.ndarray, name: str) -> np.ndarray:
        """The transformed image, C×H×W float32."""
        return self.placed(image, name)[0]

    def placed(self, image: np.ndarray, name: str) -> tuple[np.ndarray, tuple[int, int], bool]:
        """The transformed image, the top and left of the crop in the image, and whether it is mirrored then."""
        channels, height, width = self.top_shape(image.shape, name)
        mean = self._mean_for(image.shape, name)
        mirrored = self.mirror and bool(self._below(2))
        top, left = image.shape[1] - height, image.shape[2] - width
        if self.crops_at_random:
            top, left = self._below(top + 1), self._below(left + 1)
        else:
            top, left = top // 2, left // 2
        values = image[:, top : top + height, left : left + width].astype(np.float32)
        if mean is not None:
            values -= mean[:, top : top + height, left : left + width] if mean.shape == image.shape else mean
        values *= self.scale
        return values[:, :, ::-1] if mirrored else values, (top, left), mirrored

    def mean_colour(self, channels: int) -> np.ndarray:
        """What is subtracted from each channel, on average over a mean file; 0 without a mean."""
        if self._mean is not None:
            return self._mean.mean(axis=(1, 2))
        mean = self._mean_for((channels, 1, 1), "an image")
        return np.zeros(channels, np.float32) if mean is None else np.broadcast_to(mean.reshape(-1), channels)

    def _below(self, count: int) -> int:
        assert self._random is not None, "start_random was not called"
        return self._random.below(count)

    def _mean_for(self, image: Shape, name: str) -> np.ndarray | None:
        if self._mean is not None and self._mean.shape != image:
            raise DataError(
                f"{self.owner}: {name} is {shape_text(image)} (channels×height×width), the mean in '{self.mean_file}' "
                f"is {shape_text(self._mean.shape)}. Make them equal, or use one mean_value per channel."
            )
        if self.mean_values.size not in (0, 1, image[0]):
            raise DataError(
                f"{self.owner}: {self.mean_values.size} mean_values for {image[0]} channels ({name}). "
                f"Specify either 1 mean_value or as many as channels: {image[0]}"
            )
        return self.mean_values.reshape(-1, 1, 1) if self.mean_values.size else self._mean

    def mean_of_crop(self, crop: Shape) -> np.ndarray:
        """What WindowData subtracts from a crop of this C×H×W: the middle of the mean file, the mean values, or 0."""
        channels, height, width = crop
        if self._mean is None:
            values = self._mean_for(crop, "the crop")
            return np.broadcast_to(np.float32(0) if values is None else values, crop)
        offset = (self._mean.shape[2] - width) // 2
        middle = self._mean[:, offset : offset + height, offset : offset + width]
        if offset < 0 or middle.shape != crop:
            raise DataError(
                f"{self.owner}: the mean in '{self.mean_file}' is {shape_text(self._mean.shape)}, expected {channels} "
                f"channels, and room for a crop of {height}×{width}, {offset} pixels from its corner. "
                "Compute it from larger images."
            )
        return middle

    def from_datum(self, datum: caffe_pb2.Datum, name: str) -> np.ndarray:
        """The image in a Datum, C×H×W: uint8 from bytes or from an encoded file, float32 from float_data.

        `name` says in errors which Datum it is; the owner is for the caller to say.
        """
        if datum.encoded:
            if self.force_color and self.force_gray:
                raise NetError(f"{self.owner}: cannot set both force_color and force_gray. Remove one of them.")
            color = True if self.force_color else False if self.force_gray else None
            return images.decode(datum.data, color, name).transpose(2, 0, 1)
        return array_of(datum, name)


def array_of(datum: caffe_pb2.Datum, name: str) -> np.ndarray:
    """The numbers of a Datum that is not encoded, C×H×W."""
    shape = (datum.channels, datum.height, datum.width)
    values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
    if values.size != np.prod(shape, dtype=np.int64) or min(shape) <= 0:
        raise DataError(
            f"{name} holds {values.size} {'bytes' if datum.data else 'float_data values'}, but says that it is "
            f"{shape_text(shape)} (channels×height×width). Write the database again."
        )
    return values.reshape(shape)
