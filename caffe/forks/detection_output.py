"""Detection: SSD's DetectionOutput, which decodes a detector's outputs into boxes."""

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.data.boxes import overlaps
from caffe.errors import NetError, ShapeError
from caffe.forks.box_codes import decoded
from caffe.forks.region_blobs import warn_of_nan
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer

SLOWEST_ETA = 0.5
"""Of the threshold of overlap: eta lowers it no further."""


@register_layer
class DetectionOutput(TorchLayer):
    """Decodes boxes, and keeps of each class those that no better one overlaps. It has no gradient.

    y[0, 0, m] = image, class, score, xmin, ymin, xmax, ymax as shares of the image; by image, then class, then score;
        one row an image of −1, after the image's number, if nothing is found in any
    bottom: locations (N, boxes · 4 [· classes]), scores (N, boxes · classes) after a softmax, priors (1, 2, boxes · 4)
    top: (1, 1, M, 7)
    parameters: num_classes, share_location (true), background_label_id (0), nms_param { nms_threshold (0.3), top_k, eta
        (1) }, code_type (CORNER, CENTER_SIZE, CORNER_SIZE), keep_top_k (−1: all), confidence_threshold,
        variance_encoded_in_target (false)
    restrictions: files (output_directory of save_output_param), pictures (visualize) and objectness_score are refused
    source: SSD: src/caffe/layers/detection_output_layer.cpp
    """

    bottoms = 3
    tops = 1
    settings = "detection_output_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        refused = [name for name in ("objectness_score", "save_file") if param.HasField(name)]
        refused += ["visualize"] if param.visualize else []
        refused += ["output_directory"] if param.save_output_param.output_directory else []
        if refused:
            raise NetError(f"{self}: {', '.join(refused)}: not implemented. Remove them, and read the top instead.")
        if param.num_classes < 1 or param.nms_param.nms_threshold < 0 or not 0 < param.nms_param.eta <= 1:
            raise NetError(
                f"{self}: num_classes is {param.num_classes}, nms_threshold {param.nms_param.nms_threshold:g}, eta "
                f"{param.nms_param.eta:g}; expected at least 1, at least 0, and 0 to 1. Must specify num_classes."
            )
        self.param = param
        self.sets = 1 if param.share_location else param.num_classes

    def top_shapes(self, locations: Shape, scores: Shape, priors: Shape) -> list[Shape]:
        boxes = priors[2] // 4 if len(priors) > 2 else 0
        found = [int(np.prod(shape[1:])) for shape in (locations, scores)]
        wanted = [boxes * self.sets * 4, boxes * self.param.num_classes]
        fit = priors[:2] == (1, 2) and np.prod(priors[2:]) == 4 * boxes and found == wanted
        if not fit or locations[:1] != scores[:1]:
            raise ShapeError(
                f"{self}: bottoms are {locations}, {scores}, {priors}, with {self.param.num_classes} classes. Number "
                "of priors must match number of location predictions and of confidence predictions."
            )
        return [(1, 1, 1, 7)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        values = [blob.tensor.detach().float().cpu().numpy() for blob in bottom]
        warn_of_nan(self, *values)
        rows = self.rows(*values)
        top[0].reshape(1, 1, *rows.shape)
        top[0].tensor = torch.from_numpy(rows)[None, None].to(device.current())

    def rows(self, locations: np.ndarray, scores: np.ndarray, priors: np.ndarray) -> np.ndarray:
        """(M, 7): what is found in all images."""
        priors = priors.reshape(2, -1, 4)
        variances = 1 if self.param.variance_encoded_in_target else priors[1]
        locations = locations.reshape(len(locations), len(priors[0]), self.sets, 4)
        scores = scores.reshape(len(scores), len(priors[0]), self.param.num_classes)
        found = []
        for image in range(len(locations)):
            boxes = [
                decoded(locations[image, :, index], priors[0], variances, self.param.code_type)
                for index in range(self.sets)
            ]
            for label, kept in self.kept(boxes, scores[image]):
                rows = np.empty((len(kept), 7), np.float32)
                rows[:, 0], rows[:, 1], rows[:, 2] = image, label, scores[image, kept, label]
                rows[:, 3:] = boxes[label if self.sets > 1 else 0][kept]
                found.append(rows)
        if found:
            return np.concatenate(found)
        nothing = np.full((len(locations), 7), -1, np.float32)
        nothing[:, 0] = np.arange(len(locations))
        return nothing

    def kept(self, boxes: list[np.ndarray], scores: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """(class, numbers of the boxes that stay, best first) of one image."""
        param = self.param
        by_class = [
            (label, self.suppressed(boxes[label if self.sets > 1 else 0], scores[:, label]))
            for label in range(param.num_classes)
            if label != param.background_label_id
        ]
        total = sum(len(kept) for _, kept in by_class)
        if -1 < param.keep_top_k < total:
            every = np.concatenate([scores[kept, label] for label, kept in by_class])
            stays = np.zeros(total, bool)
            stays[np.argsort(-every, kind="stable")[: param.keep_top_k]] = True
            ends = np.cumsum([len(kept) for _, kept in by_class])[:-1]
            parts = np.split(stays, ends)
            by_class = [(label, kept[part]) for (label, kept), part in zip(by_class, parts, strict=True)]
        return [(label, kept) for label, kept in by_class if len(kept)]

    def suppressed(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The numbers of the boxes of a class that no better one overlaps, best first."""
        nms = self.param.nms_param
        above = np.arange(len(scores))
        if self.param.HasField("confidence_threshold"):
            above = np.flatnonzero(scores > np.float32(self.param.confidence_threshold))
        order = above[np.argsort(-scores[above], kind="stable")]
        if nms.HasField("top_k") and nms.top_k > -1:
            order = order[: nms.top_k]
        threshold, kept = nms.nms_threshold, np.empty(len(order), np.int64)
        count = 0
        for number in order:
            if count and overlaps(boxes[number], boxes[kept[:count]]).max() > threshold:
                continue
            kept[count] = number
            count += 1
            if nms.eta < 1 and threshold > SLOWEST_ETA:
                threshold *= nms.eta
        return kept[:count]
