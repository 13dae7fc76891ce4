"""Classifier: a net that classifies images of any size."""

from collections.abc import Iterable, Sequence

import numpy as np

from caffe import io
from caffe.errors import UsageError
from caffe.net import Net


class Classifier(Net):
    """A net with a Transformer for its first input; its first output holds class probabilities.

    image_dims: (height, width) that images are resized to before crops of the net's input size are taken; by default
    the input size itself. mean, input_scale, raw_scale, channel_swap: see io.Transformer.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ):
        super().__init__(model_file, phase=1, weights=pretrained_file)
        in_ = io.image_input(self, "Classifier")
        shape = tuple(self.blobs[in_].shape)
        self.transformer = io.Transformer({in_: shape})
        self.transformer.set(
            in_,
            transpose=(2, 0, 1),
            mean=mean,
            input_scale=input_scale,
            raw_scale=raw_scale,
            channel_swap=channel_swap,
        )
        self.crop_dims = np.array(shape[2:])
        self.image_dims: Iterable[int] = self.crop_dims if image_dims is None else image_dims
        self._check_dims()

    def _check_dims(self) -> None:
        dims = tuple(int(length) for length in self.image_dims)
        if len(dims) != 2 or dims[0] < self.crop_dims[0] or dims[1] < self.crop_dims[1]:
            raise UsageError(
                f"Classifier: image_dims is {dims}, expected a height and a width no smaller than the net's input, "
                f"{tuple(self.crop_dims.tolist())}, to which images are cropped. Give larger ones, or none."
            )

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """Class probabilities, images × classes, of images height × width × channels (as io.load_image gives them).

        Raises UsageError for what is no image, or has another number of channels than the net.
        oversample: average over ten crops, four corners and centre, straight and mirrored; otherwise the centre alone.
        """
        self._check_dims()
        given = [np.asarray(image) for image in inputs]
        for number, image in enumerate(given):
            io.check_image(image, f"Classifier.predict: input {number}", self.blobs[self.inputs[0]].shape[1])
        if not given:
            raise UsageError(
                "Classifier.predict: there is no image, expected at least one. Give one, height×width×channels."
            )
        images = np.array([io.resize_image(image, self.image_dims) for image in given])
        if oversample:
            crops = io.oversample(images, self.crop_dims)
        else:
            top, left = ((np.array([*self.image_dims]) - self.crop_dims) / 2).astype(int)
            height, width = self.crop_dims
            crops = images[:, top : top + height, left : left + width]
        in_ = self.inputs[0]
        blob = np.array([self.transformer.preprocess(in_, crop) for crop in crops])
        with self.lock:  # other threads wait for their turn
            predictions = self.forward_all(None, **{in_: blob})[self.outputs[0]]
        return predictions.reshape(len(images), 10, -1).mean(1) if oversample else predictions
