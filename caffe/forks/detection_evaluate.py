"""Detection: SSD's DetectionEvaluate, which marks right and wrong boxes, for the solver's average precision."""

from typing import Any

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.data import lists
from caffe.data.boxes import overlaps
from caffe.errors import DataError, LabelError, NetError, ShapeError
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.proto import caffe_pb2

WARP, FIT_SMALL, FIT_LARGE = (
    caffe_pb2.ResizeParameter.Resize_mode.Value(name) for name in ("WARP", "FIT_SMALL_SIZE", "FIT_LARGE_SIZE_AND_PAD")
)


@register_layer
class DetectionEvaluate(TorchLayer):
    """Which detected boxes are right. It has no gradient.

    y = a row for each class: −1, class, true boxes of it, −1, −1; then one for each detected box: image, class, score,
        1 and 0 if it is right, else 0 and 1; 0 and 0 if it does not count. By image and class, best first, a box is
        right if the true box that it overlaps most, by overlap_threshold or more, has no better one yet
    bottom: detections (1, 1, M, 7), as DetectionOutput gives them; true boxes (1, 1, G, 8): image (−1: none), class,
        instance, xmin, ymin, xmax, ymax, difficult
    top: (1, 1, R, 5)
    parameters: num_classes, background_label_id (0), overlap_threshold (0.5), evaluate_difficult_gt (true; false: those
        count neither as true nor as wrong), name_size_file (`name height width` a line, in the order of the images:
        boxes are compared in pixels, x2 − x1 + 1 wide), resize_param (how images were resized before the net)
    restrictions: with name_size_file, a batch counts as many images as its rows name; the last is one that has a true
        box or a detection
    source: SSD: src/caffe/layers/detection_evaluate_layer.cpp
    """

    bottoms = 2
    tops = 1
    settings = "detection_evaluate_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.param = self.message
        if param.num_classes < 1 or param.overlap_threshold <= 0:
            raise NetError(
                f"{self}: num_classes is {param.num_classes}, overlap_threshold {param.overlap_threshold:g}. Must "
                "provide num_classes, and overlap_threshold must be above 0."
            )
        resize = param.resize_param
        if resize.resize_mode != WARP and not (resize.height and resize.width):
            raise NetError(f"{self}: resize_param has no height and width. Write those that the net's data have.")
        self.labels = [label for label in range(param.num_classes) if label != param.background_label_id]
        self.sizes = self._sizes(param.name_size_file) if param.HasField("name_size_file") else []
        self.next = 0

    def _sizes(self, path: str) -> list[tuple[int, int]]:
        """Height and width of each image."""
        sizes = []
        for number, line in lists.read_lines(path, f"{self}: Failed to open name size file: {path}"):
            words = line.split()
            if len(words) != 3 or not words[1].isdigit() or not words[2].isdigit() or not int(words[1]) * int(words[2]):
                raise DataError(
                    f"{self}: {path}:{number}: '{line.strip()}' found, expected `name height width`. Correct the line."
                )
            sizes.append((int(words[1]), int(words[2])))
        if not sizes:
            raise DataError(
                f"{self}: '{path}' names no image, expected `name height width` a line. Add a line for each image."
            )
        return sizes

    def top_shapes(self, detections: Shape, truth: Shape) -> list[Shape]:
        if detections[-1:] != (7,) or truth[-1:] != (8,):
            raise ShapeError(
                f"{self}: bottoms are {detections} and {truth}; expected (1, 1, M, 7) and (1, 1, G, 8)."
                " Correct the shapes."
            )
        return [(1, 1, len(self.labels), 5)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        detections, truth = (blob.tensor.detach().float().cpu().numpy() for blob in bottom)
        rows = self.rows(detections.reshape(-1, 7), truth.reshape(-1, 8))
        top[0].reshape(1, 1, *rows.shape)
        top[0].tensor = torch.from_numpy(rows)[None, None].to(device.current())

    def rows(self, detections: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """(R, 5), of detections (M, 7) and true boxes (G, 8)."""
        truth = truth[truth[:, 0] >= 0]
        last = int(max(detections[:, 0].max(initial=-1), truth[:, 0].max(initial=-1)))
        detections = detections[(detections[:, 0] >= 0) & (detections[:, 1] >= 0)]
        for rows, name in ((detections, self.layer_param.bottom[0]), (truth, self.layer_param.bottom[1])):
            wrong = ~np.isin(rows[:, 1], self.labels)
            if wrong.any():
                raise LabelError(
                    f"{self}: '{name}' has class {rows[wrong][0, 1]:g}; expected 0 … {self.param.num_classes - 1} "
                    f"without {self.param.background_label_id}, the background. Correct num_classes, or the labels.",
                    name,
                    np.flatnonzero(wrong).tolist(),
                )
        counts = self.param.evaluate_difficult_gt | (truth[:, 7] == 0)
        found: list[list[float]] = [
            [-1, label, int((counts & (truth[:, 1] == label)).sum()), -1, -1] for label in self.labels
        ]
        for image, label in np.unique(detections[:, :2], axis=0):
            ours = detections[(detections[:, 0] == image) & (detections[:, 1] == label)]
            true = truth[(truth[:, 0] == image) & (truth[:, 1] == label)]
            found += self._judged(ours, true, int(image))
        if self.sizes:
            self.next = (self.next + last + 1) % len(self.sizes)
        return np.array(found, np.float32).reshape(-1, 5)

    def _judged(self, ours: np.ndarray, true: np.ndarray, image: int) -> list[list[float]]:
        """A row for each detection of one class in one image."""
        if len(true):
            ours = ours[np.argsort(-ours[:, 2], kind="stable")]
        boxes, others, extra = ours[:, 3:7], true[:, 3:7], 0
        if self.sizes:
            size = self.sizes[(self.next + image) % len(self.sizes)]
            boxes, others, extra = (*(in_pixels(each, size, self.param.resize_param) for each in (boxes, others)), 1)
        taken, rows = set(), []
        for row, shares in zip(ours, overlaps(boxes[:, None], others[None], extra=extra), strict=True):
            right, wrong = 0, 1
            if len(shares) and shares.max() >= np.float32(self.param.overlap_threshold):
                best = int(shares.argmax())
                if not self.param.evaluate_difficult_gt and true[best, 7]:
                    wrong = 0
                elif best not in taken:
                    right, wrong = 1, 0
                    taken.add(best)
            rows.append([*row[:3], right, wrong])
        return rows

    def state(self) -> dict[str, Any]:
        """Which image comes next, for a training that is resumed."""
        return {"next": self.next}

    def set_state(self, values: dict[str, Any]) -> None:
        """Go on with that image."""
        self.next = int(values["next"])


def in_pixels(boxes: np.ndarray, size: tuple[int, int], resize: Any) -> np.ndarray:
    """Boxes (M, 4), shares of what a net saw, in pixels of the image (height, width) that was resized for it."""
    height, width = size
    if resize.resize_mode == FIT_LARGE:
        share = (resize.width / resize.height) * height / width  # of the net's shape to the image's
        pad = np.array([0, (1 - share) / 2] if share < 1 else [(1 - 1 / share) / 2, 0], np.float32)
        boxes = (boxes - np.tile(pad, 2)) / np.tile(1 - 2 * pad, 2)
    elif resize.resize_mode == FIT_SMALL and resize.height_scale:
        scales = (resize.width_scale, resize.height_scale)
        return (boxes * np.tile(scales, 2)).clip(0, np.tile((width, height), 2)).astype(np.float32)
    return (boxes.clip(0, 1) * np.tile((width, height), 2)).astype(np.float32)
