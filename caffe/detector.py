"""Detector: a net that classifies windows of images, as R-CNN does (Girshick et al., CVPR 2014)."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from caffe import io
from caffe.errors import UsageError
from caffe.net import Net


class Detector(Net):
    """A net with a Transformer for its first input; its first output holds a prediction for each window.

    context_pad: how many pixels of the net's input, on each side, show what surrounds the window; where that lies
    outside the image, the mean is shown. mean, input_scale, raw_scale, channel_swap: see io.Transformer.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ):
        super().__init__(model_file, phase=1, weights=pretrained_file)
        in_ = io.image_input(self, "Detector")
        self.transformer = io.Transformer({in_: tuple(self.blobs[in_].shape)})
        self.transformer.set(
            in_,
            transpose=(2, 0, 1),
            mean=mean,
            input_scale=input_scale,
            raw_scale=raw_scale,
            channel_swap=channel_swap,
        )
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Iterable[Sequence[float]]]]) -> list[dict[str, Any]]:
        """Predictions for windows of images.

        images_windows: pairs of an image file and its windows, each (ymin, xmin, ymax, xmax).
        Returns a dictionary {"window", "prediction", "filename"} for each window, in order.
        """
        detections = []
        crops = []
        for filename, windows in images_windows:
            image = io.load_image(filename)
            for window in windows:
                detections.append({"window": window, "filename": filename})
                crops.append(self.crop(image, window))
        if not crops:
            return []
        in_ = self.inputs[0]
        blob = np.array([self.transformer.preprocess(in_, crop) for crop in crops])
        with self.lock:  # other threads wait for their turn
            predictions = self.forward_all(None, **{in_: blob})[self.outputs[0]]
        for detection, prediction in zip(detections, predictions, strict=True):
            detection["prediction"] = prediction
        return detections

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]:
        """Predictions for the windows that Selective Search proposes in images.

        Needs the package selective_search_ijcv_with_python, and MATLAB for it.
        """
        try:
            import selective_search_ijcv_with_python as selective_search
        except ImportError as error:
            raise UsageError(
                "detect_selective_search: the package selective_search_ijcv_with_python is not installed. Put it on "
                "PYTHONPATH, or bring windows of your own: detect_windows([(file, windows)])."
            ) from error
        filenames = [os.path.abspath(filename) for filename in image_fnames]
        windows = selective_search.get_windows(filenames, cmd="selective_search_rcnn")
        return self.detect_windows(zip(filenames, windows, strict=True))

    def crop(self, im: np.ndarray, window: Sequence[float]) -> np.ndarray:
        """A window (ymin, xmin, ymax, xmax) of an image, with its surroundings if there is a `context_pad`."""
        box = np.array(window, np.float64)
        if not self.context_pad:
            return _cut(im, box)
        size = self.blobs[self.inputs[0]].width
        half = (box[2:] - box[:2] + 1) / 2
        reach = half * size / (size - 2.0 * self.context_pad)
        center = box[:2] + half
        box = np.rint(np.concatenate([center - reach, center + reach]))
        scale = size / (box[2:] - box[:2] + 1)
        pad = np.rint(np.maximum(0, -box[:2]) * scale).astype(int)
        box = np.clip(box, 0, np.tile(im.shape[:2], 2))
        seen = np.minimum(np.rint((box[2:] - box[:2] + 1) * scale).astype(int), size - pad)
        crop = np.broadcast_to(self.crop_mean, self.crop_dims).astype(np.float32)
        crop[pad[0] : pad[0] + seen[0], pad[1] : pad[1] + seen[1]] = io.resize_image(_cut(im, box), seen)
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set how much of a window's surroundings is shown; the mean that stands for what lies outside the image is
        taken back to the form that images have."""
        in_, size = self.inputs[0], self.blobs[self.inputs[0]].width
        if context_pad is not None and not 0 <= 2 * context_pad < size:
            raise UsageError(
                f"Detector: context_pad is {context_pad}, expected 0 to {(size - 1) // 2}: the net's input is {size} "
                "pixels wide, and some must be left for the window between the surroundings on both sides."
                " Lower it."
            )
        order = np.argsort(self.transformer.transpose[in_])
        self.context_pad = context_pad
        self.crop_dims = np.array(self.blobs[in_].shape[1:])[order]
        self.crop_mean: np.ndarray = np.zeros(1)
        if in_ in self.transformer.mean:
            mean = self.transformer.mean[in_]
            if in_ in self.transformer.channel_swap:
                mean = mean[np.argsort(self.transformer.channel_swap[in_])]
            self.crop_mean = mean.transpose(order) / self.transformer.raw_scale.get(in_, 1)


def _cut(im: np.ndarray, box: np.ndarray) -> np.ndarray:
    top, left, bottom, right = box.astype(int)
    return im[top:bottom, left:right]
