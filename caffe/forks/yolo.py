"""Detection: boxes from the outputs of YOLO's nets."""

from collections.abc import Iterator

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.forks.region_blobs import warn_of_nan
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image

BOX, OBJECT = 4, 1


class _YoloOutput(TorchLayer):
    tops = 1
    differentiable = False

    def check(self, classes: int, boxes: int, anchors: int) -> None:
        scales = getattr(self.message, "anchors_scale", [])
        if min([*self.message.biases, *scales], default=1) <= 0:
            raise NetError(
                f"{self}: biases are {list(self.message.biases)}, anchors_scale {list(scales)}; expected numbers above "
                "0. Correct them."
            )
        if classes < 1 or boxes < 1 or anchors < 1:
            raise NetError(
                f"{self}: num_classes is {classes}, num_box {boxes}, and there are {anchors} pairs of biases; "
                "expected at least 1 each. Must specify num_classes, and two biases for each box."
            )

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        channels = self.message.num_box * (BOX + OBJECT + self.message.num_classes)
        for x in bottoms:
            check_image(self, x)
            if x[1] != channels:
                raise ShapeError(
                    f"{self}: bottom is {x}, expected {channels} channels: num_box · (5 + num_classes). Correct them."
                )
        return [(1, 1, 1, 7)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        maps = [blob.tensor.detach().float().cpu().numpy() for blob in bottom]
        warn_of_nan(self, *maps)
        with np.errstate(over="ignore", invalid="ignore"):  # of a net that has learned nothing yet
            found = np.concatenate([*self.rows(maps), np.empty((0, 6))])
        found = found[np.isfinite(found).all(axis=1)]
        found = found[np.argsort(-found[:, 1], kind="stable")]
        found = found[suppress(found[:, 2:], self.message.nms_threshold)]
        rows = np.insert(found, 0, 0, axis=1)
        rows[:, 3:5], rows[:, 5:] = found[:, 2:4] - found[:, 4:] / 2, found[:, 2:4] + found[:, 4:] / 2
        if not len(rows):
            rows = np.full((len(maps[0]), 7), -1)
            rows[:, 0] = np.arange(len(rows))
        top[0].reshape(1, 1, *rows.shape)
        top[0].tensor = torch.from_numpy(rows.astype(np.float32))[None, None].to(device.current())

    def rows(self, maps: list[np.ndarray]) -> Iterator[np.ndarray]:
        """(M, 6) for each map: label, score, centre and size as shares of the image."""
        raise NotImplementedError

    def split(self, x: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → (N, H, W, boxes, 5 + classes)."""
        count, _, height, width = x.shape
        return x.reshape(count, self.message.num_box, -1, height, width).transpose(0, 3, 4, 1, 2)


def boxes_of(parts: np.ndarray, sizes: np.ndarray, scale: float) -> np.ndarray:
    """(N, H, W, boxes, 4): centre and size as shares of the image, from (…, 4) raw numbers."""
    height, width = parts.shape[1:3]
    cells = np.array([width, height])
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)[:, :, None]
    centres = (places + sigmoid(parts[..., :2])) / cells
    return np.concatenate([centres, np.exp(parts[..., 2:4]) * sizes / (cells * scale)], axis=-1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def suppress(boxes: np.ndarray, threshold: float) -> list[int]:
    """The numbers of the boxes (centre, size), best first, that none before overlaps by the threshold or more."""
    left, kept = np.arange(len(boxes)), []
    begins, ends, areas = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2] * boxes[:, 3]
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.minimum(ends[best], ends[left]) - np.maximum(begins[best], begins[left])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        union = areas[best] + areas[left] - shared
        left = left[np.divide(shared, union, out=np.zeros_like(shared), where=union > 0) < threshold]
    return kept


@register_layer
class YoloDetectionOutput(_YoloOutput):
    """Boxes of what YOLO v2's maps say. It has no gradient.

    y[0, 0, m] = 0, class + 1, score, xmin, ymin, xmax, ymax as shares of the image, best first; centre (cell + σ(x)) /
        cells, size exp(w) · bias / cells, score σ(object) · the largest of softmax(classes), at least
        confidence_threshold; boxes that overlap a better one, of whatever class, by nms_threshold or more are dropped;
        one row an image of −1 if nothing is found
    bottom: (N, num_box · (5 + num_classes), H, W), one or two
    top: (1, 1, M, 7)
    parameters: num_classes, num_box (5), biases (width and height of each box, in cells), confidence_threshold (0.01),
        nms_threshold (0.45); side, coords and label_map_file change nothing
    source: MobileNet-YOLO: src/caffe/layers/yolo_detection_output_layer.cpp; all images of a batch are taken for one
        there
    """

    bottoms = (1, 2)
    settings = "yolo_detection_output_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.sizes = np.array(param.biases[: len(param.biases) // 2 * 2]).reshape(-1, 2)[: param.num_box]
        self.check(param.num_classes, param.num_box, len(self.sizes) - param.num_box + 1)

    def rows(self, maps: list[np.ndarray]) -> Iterator[np.ndarray]:
        for x in maps:
            parts = self.split(x)
            raw = np.exp(parts[..., 5:] - parts[..., 5:].max(-1, keepdims=True))
            scores = sigmoid(parts[..., 4]) * (raw / raw.sum(-1, keepdims=True)).max(-1)
            enough = scores >= np.float32(self.message.confidence_threshold)
            labels = parts[..., 5:].argmax(-1) + 1
            boxes = boxes_of(parts, self.sizes, 1)
            yield np.column_stack([labels[enough], scores[enough], boxes[enough]])


@register_layer
class Yolov3DetectionOutput(_YoloOutput):
    """Boxes of what YOLO v3's maps say, a map for each size of objects. It has no gradient.

    y[0, 0, m] = 0, class + 1, score, xmin, ymin, xmax, ymax as shares of the image, best first; centre (cell + σ(x)) /
        cells, size exp(w) · bias / (cells · anchors_scale), scores σ(object) · σ(class) above confidence_threshold;
        boxes that overlap a better one, of whatever class, by nms_threshold or more are dropped; one row an image of
        −1 if nothing is found
    bottom: (N, num_box · (5 + num_classes), H_i, W_i), one for each group of the mask
    top: (1, 1, M, 7)
    parameters: num_classes, num_box (3), biases (width and height of each box, in pixels), mask (which biases each map
        takes, one map after the other), mask_group_num (2), anchors_scale (pixels a cell, of each map),
        confidence_threshold (0.01), nms_threshold (0.45)
    source: MobileNet-YOLO: src/caffe/layers/yolov3_detection_output_layer.cpp; all images of a batch are taken for one
        there
    """

    bottoms = (1, None)
    settings = "yolov3_detection_output_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.sizes = np.array(param.biases[: len(param.biases) // 2 * 2]).reshape(-1, 2)
        self.check(param.num_classes, param.num_box, len(self.sizes))
        group = len(param.mask) // max(param.mask_group_num, 1)
        if (
            param.mask_group_num != len(bottom)
            or len(param.anchors_scale) < len(bottom)
            or group < param.num_box
            or max(param.mask) >= len(self.sizes)
        ):
            raise NetError(
                f"{self}: {len(bottom)} bottoms, mask_group_num {param.mask_group_num}, {len(param.anchors_scale)} "
                f"anchors_scale, {len(param.mask)} numbers in mask for {param.num_box} boxes, {len(self.sizes)} pairs "
                "of biases; expected a group of the mask and an anchors_scale for each bottom. Correct them."
            )
        self.masks = [list(param.mask[index * group :][: param.num_box]) for index in range(len(bottom))]

    def rows(self, maps: list[np.ndarray]) -> Iterator[np.ndarray]:
        for x, mask, scale in zip(maps, self.masks, self.message.anchors_scale, strict=False):
            parts = self.split(x)
            scores = sigmoid(parts[..., 4:5]) * sigmoid(parts[..., 5:])
            *where, label = np.nonzero(scores > np.float32(self.message.confidence_threshold))
            boxes = boxes_of(parts, self.sizes[mask], scale)
            yield np.column_stack([label + 1, scores[(*where, label)], boxes[tuple(where)]])
