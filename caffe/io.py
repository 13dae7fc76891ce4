"""Images in and out of nets: loading, resizing, cropping, and the Transformer; arrays as protobuf messages.

As pycaffe's `caffe.io`, with Pillow and SciPy in place of scikit-image. Images are float32 arrays, height × width ×
channels, RGB, in 0–1.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from caffe.errors import DataError, UsageError
from caffe.formats.binaryproto import array_to_blobproto, blobproto_to_array
from caffe.formats.pictures import FORMATS, UNREADABLE
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]

LUMA = np.array([0.2125, 0.7154, 0.0721])
"""Weights of red, green and blue in gray (ITU-R BT.709, as scikit-image has them)."""


def __getattr__(name: str) -> Any:
    """`caffe.io.resize` and `caffe.io.skimage`, which pycaffe's module has by the way: scikit-image's, if it is there.

    Raises AttributeError.
    """
    if name not in ("resize", "skimage"):
        raise AttributeError(f"module 'caffe.io' has no attribute '{name}'")
    try:
        skimage, _, transform = (import_module(f"skimage{part}") for part in ("", ".io", ".transform"))
    except ImportError as error:
        raise AttributeError(f"caffe.io.{name} is scikit-image's: pip install scikit-image") from error
    return transform.resize if name == "resize" else skimage


def arraylist_to_blobprotovector_str(arraylist: Iterable[np.ndarray]) -> bytes:
    """Arrays of any shapes as the bytes of a BlobProtoVector."""
    return caffe_pb2.BlobProtoVector(blobs=map(array_to_blobproto, arraylist)).SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[np.ndarray]:
    """The arrays, each of its own shape, in the bytes of a BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> Any:
    """A Datum of a channels × height × width array: uint8 becomes bytes, any other type float_data.

    Raises ValueError if the array has not three dimensions.
    """
    if arr.ndim != 3:
        raise ValueError(
            f"array_to_datum: Incorrect array shape. It is {shape_text(arr.shape)}, expected channels×height×width. "
            "Reshape it."
        )
    channels, height, width = arr.shape
    datum = caffe_pb2.Datum(channels=channels, height=height, width=width)
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(np.float32).ravel())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> np.ndarray:
    """The array in a Datum, channels × height × width: uint8 from bytes, float64 from float_data.

    Raises DataError if the Datum holds a compressed image, or not as many values as it says.
    """
    if datum.encoded:
        raise DataError(
            "datum_to_array: the Datum holds a compressed image (encoded), expected plain values. "
            "Decode datum.data with Pillow."
        )
    values = np.frombuffer(datum.data, np.uint8).copy() if datum.data else np.array(datum.float_data, np.float64)
    shape = (datum.channels, datum.height, datum.width)
    if values.size != np.prod(shape):
        raise DataError(
            f"datum_to_array: the Datum has {values.size} values, expected {shape_text(shape)} = {np.prod(shape)}. "
            "Write it again."
        )
    return values.reshape(shape)


def load_image(filename: str | os.PathLike[str], color: bool = True) -> np.ndarray:
    """An image file as float32 in 0–1: height × width × 3, RGB; × 1, gray, if not `color`.

    The picture is upright, as its EXIF orientation says. Gray images are repeated into three channels, palettes looked
    up, transparency is dropped.
    Raises DataError if there is no such image.
    """
    try:
        with Image.open(filename, formats=FORMATS) as image:
            turned = image.format == "TIFF"  # Pillow turns TIFF as it loads it
            pixels = _unit_range(image if turned else ImageOps.exif_transpose(image))
    except UNREADABLE as error:
        raise DataError(
            f"load_image: cannot read '{os.fspath(filename)}' ({error or type(error).__name__}). Name an image file "
            "that Pillow knows."
        ) from error
    if color:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()
    return pixels if pixels.shape[2] == 1 else (pixels @ LUMA).astype(np.float32)[:, :, np.newaxis]


def _unit_range(image: Image.Image) -> np.ndarray:
    """An image's values, each type's range scaled to 0–1, as float32, with 1 or 3 channels."""
    if image.mode in ("L", "1", "F") or image.mode.startswith("I"):
        values = np.asarray(image)
    elif image.mode == "LA":
        values = np.asarray(image.getchannel("L"))
    else:
        values = np.asarray(image.convert("RGB"))
    full = {"u1": 255, "u2": 65535, "i4": 65535}.get(values.dtype.str[1:], 1)
    scaled = (values / full).astype(np.float32)
    return scaled if scaled.ndim == 3 else scaled[:, :, np.newaxis]


def resize_image(im: np.ndarray, new_dims: Iterable[int], interp_order: int = 1) -> np.ndarray:
    """An image of height × width × channels in another size (height, width), float32.

    1 and 3 channels as scikit-image resizes for pycaffe: pixel centres correspond, a Gaussian comes before a
    reduction, and there is black outside. Other numbers of channels as SciPy zooms: corners correspond.
    interp_order is the order of the spline: 0 nearest, 1 linear, 3 cubic.
    """
    rows, columns = _size("resize_image", new_dims)
    im = np.asarray(im)
    check_image(im, "resize_image")
    zoom = (rows / im.shape[0], columns / im.shape[1], 1)
    if im.shape[-1] not in (1, 3):
        return ndimage.zoom(im, zoom, order=interp_order).astype(np.float32)
    low, high = im.min(), im.max()
    if low == high:
        return np.full((rows, columns, im.shape[-1]), low, np.float32)
    unit = (im - low) / (high - low)
    blur = [max(0.0, (1 / factor - 1) / 2) for factor in zoom]
    smooth = ndimage.gaussian_filter(unit, blur, mode="constant")
    resized = ndimage.zoom(smooth, zoom, order=interp_order, mode="grid-constant", grid_mode=True)
    return (np.clip(resized, 0, 1) * (high - low) + low).astype(np.float32)


def check_image(image: np.ndarray, who: str, channels: int | None = None) -> None:
    """Raises UsageError unless an array is an image, height × width × channels; of so many channels, if they count."""
    if image.ndim != 3 or not image.size:
        raise UsageError(
            f"{who}: found an array of shape {shape_text(image.shape)}, expected an image, height × width × channels. "
            "Load it with caffe.io.load_image; of one image in an array, make a list: [image]."
        )
    if channels is not None and image.shape[2] != channels:
        raise UsageError(
            f"{who}: the image has {image.shape[2]} channels, the net takes {channels}. "
            f"Load it with {1 if channels == 1 else 3}: caffe.io.load_image(file, color={channels != 1})."
        )


def image_input(net: Any, who: str) -> str:
    """The name of a net's first input. Raises UsageError if it has none, or one that takes no images."""
    if not net.inputs or len(net.blobs[net.inputs[0]].shape) != 4 or not net.outputs:
        found = ", ".join(f"{name} {shape_text(net.blobs[name].shape)}" for name in net.inputs) or "no input"
        raise UsageError(
            f"{who}: the net has {found} and {len(net.outputs)} output(s), expected an input of batch × channels × "
            "height × width, and an output. Give a deploy prototxt, whose first layer is of type Input."
        )
    return net.inputs[0]


def _size(who: str, dims: Iterable[int]) -> tuple[int, int]:
    found = tuple(int(length) for length in dims)
    if len(found) != 2 or min(found) < 1:
        raise UsageError(f"{who}: the size is {found}, expected two positive numbers, height and width. Correct it.")
    return found


def oversample(images: Sequence[np.ndarray] | np.ndarray, crop_dims: Iterable[int]) -> np.ndarray:
    """Ten crops of (height, width) of each image: the four corners and the centre, then the same mirrored.

    Images are of one size, height × width × channels; the result is (10·images, height, width, channels), float32.
    """
    rows, columns = _size("oversample", crop_dims)
    if rows > images[0].shape[0] or columns > images[0].shape[1]:
        raise UsageError(
            f"oversample: crops of {rows}×{columns} (height × width) were asked of images of "
            f"{images[0].shape[0]}×{images[0].shape[1]}. Give images that are no smaller than the crops."
        )
    bottom, right = images[0].shape[0] - rows, images[0].shape[1] - columns
    places = [(0, 0), (0, right), (bottom, 0), (bottom, right), (int(bottom / 2), int(right / 2))]
    crops = []
    for image in images:
        straight = [image[top : top + rows, left : left + columns] for top, left in places]
        crops += straight + [view[:, ::-1] for view in straight]
    return np.array(crops, np.float32)


class Transformer:
    """Makes images into what a net's inputs take, and back.

    inputs: {input blob's name: its shape (batch, channels, height, width)}.
    `preprocess` resizes to the input's size and then, in this order and each only if set: transposes the axes, swaps
    channels, multiplies by the raw scale, subtracts the mean, multiplies by the input scale.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]):
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An image, height × width × channels, as float32 for input blob `in_`. The image itself is not changed."""
        size = tuple(self._shape(in_)[2:])
        values = np.array(data, np.float32)
        if values.shape[:2] != size:
            values = resize_image(values, size)
        if in_ in self.transpose:
            values = values.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            values = values[list(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            values *= self.raw_scale[in_]
        if in_ in self.mean:
            values -= self.mean[in_]
        if in_ in self.input_scale:
            values *= self.input_scale[in_]
        return values

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The image that `preprocess` would have made into these values of blob `in_`, but for its size."""
        self._shape(in_)
        values = np.array(data).squeeze()
        if in_ in self.input_scale:
            values /= self.input_scale[in_]
        if in_ in self.mean:
            values += self.mean[in_]
        if in_ in self.raw_scale:
            values /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            values = values[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            values = values.transpose(np.argsort(self.transpose[in_]))
        return values

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The order of an image's axes in the blob: (2, 0, 1) makes height × width × channels channels first."""
        if len(order) != len(self._shape(in_)) - 1:
            raise UsageError(
                "Transformer: Transpose order needs to have the same number of dimensions as the input. It is "
                f"{order}, the input is {tuple(self.inputs[in_])} with the batch first. Name every axis but the batch."
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The order of the channels, after the transpose: (2, 1, 0) makes RGB into BGR."""
        if sorted(order) != list(range(self._shape(in_)[1])):
            raise UsageError(
                "Transformer: Channel swap needs to have the same number of dimensions as the input channels. It is "
                f"{order}, the input is {tuple(self.inputs[in_])}. Name every channel."
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """What the image is multiplied by before the mean is subtracted: 255 for nets that know images in 0–255."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """The mean to subtract: one number a channel, or channels × height × width, resized to the input if need be.

        Raises ValueError if it has another number of channels, or other dimensions.
        """
        shape = tuple(self._shape(in_)[1:])
        mean = np.asarray(mean)
        if mean.ndim == 1:
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim == 2:
            mean = mean[np.newaxis]
        if mean.ndim != 3:
            raise ValueError(
                f"Transformer: Mean shape invalid. It is {shape_text(mean.shape)}, the input {shape_text(shape)}. "
                "Give one number a channel, or channels × height × width."
            )
        if mean.shape[0] != shape[0]:
            raise ValueError(
                f"Transformer: Mean channels incompatible with input. They are {mean.shape[0]}, the input has "
                f"{shape[0]}. Give the mean of each of the input's channels."
            )
        if mean.shape[1:] not in ((1, 1), shape[1:]):
            mean = resize_image(mean.transpose(1, 2, 0), shape[1:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """What everything is multiplied by at the very end, after the mean is subtracted."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def set(self, in_: str, **settings: Any) -> None:
        """Several settings of one input, by their setters' names: set("data", raw_scale=255). None sets nothing."""
        for name, value in settings.items():
            if value is not None:
                getattr(self, f"set_{name}")(in_, value)

    def _shape(self, in_: str) -> Sequence[int]:
        if in_ not in self.inputs:
            raise UsageError(
                f"Transformer: {in_} is not one of the net inputs: {list(self.inputs)}. Name one of them, or give its "
                "shape to Transformer({name: shape})."
            )
        return self.inputs[in_]
