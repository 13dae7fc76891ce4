"""rpn.anchor_target_layer of py-faster-rcnn: which anchors are objects, which are background, and where they should go.

layer { type: "Python" bottom: "rpn_cls_score" bottom: "gt_boxes" bottom: "im_info" bottom: "data" top: "rpn_labels"
        top: "rpn_bbox_targets" top: "rpn_bbox_inside_weights" top: "rpn_bbox_outside_weights"
        python_param { module: "rpn.anchor_target_layer" layer: "AnchorTargetLayer" param_str: "'feat_stride': 16" } }
"""

from typing import Any

import numpy as np

from caffe.errors import NetError
from caffe.forks.python_layers import PublishedLayer, settings
from caffe.forks.python_layers.proposal_layer import BASE, RATIOS
from caffe.forks.python_layers.targets import Draws, moves, pixel_overlaps, put, read, true_boxes
from caffe.forks.regions import anchors

DEFAULTS = {
    "feat_stride": None,
    "scales": (8, 16, 32),
    "allowed_border": 0,
    "rpn_batchsize": 256,
    "rpn_fg_fraction": 0.5,
    "rpn_positive_overlap": 0.7,
    "rpn_negative_overlap": 0.3,
    "rpn_clobber_positives": False,
    "rpn_positive_weight": -1.0,
    "rpn_bbox_inside_weights": (1.0, 1.0, 1.0, 1.0),
}
"""Beside the first three, the names of py-faster-rcnn's configuration, in small letters, and its values."""
OBJECT, BACKGROUND, NEITHER = 1, 0, -1


class AnchorTargetLayer(PublishedLayer):
    """Bottoms: scores (1, 2 A, H, W), of which the size counts, true boxes (G, 5), height, width and scale of the image
    (1, 3); tops: labels (1, 1, A · H, W), moves (1, 4 A, H, W), and their weights inside and outside of the loss."""

    bottoms = ("scores", "true boxes", "height, width and scale of the image", "the image")
    tops = ("labels", "moves", "weights inside", "weights outside")
    optional = (1, 0)

    def setup(self, bottom: Any, top: Any) -> None:
        """Read the settings."""
        self.check(bottom, top)
        self.given = read(settings(self.param_str, str(self)), DEFAULTS, str(self))
        self.number(self.given, "feat_stride", 16)
        self.boxes = anchors(BASE, RATIOS, self.numbers(self.given, "scales"))
        if len(bottom[0].data.shape) != 4 or bottom[1].count % 5 or bottom[2].count < 3:
            raise self.refuse(bottom, "(1, 2 A, H, W), (G, 5), and height, width and scale of the image")
        self.draws = Draws()
        count, (height, width) = len(self.boxes), bottom[0].data.shape[-2:]
        shapes = [(1, 1, count * height, width), *[(1, 4 * count, height, width)] * 3]
        for blob, shape in zip(top, shapes, strict=True):
            blob.reshape(*shape)

    def forward(self, bottom: Any, top: Any) -> None:
        """Of the one image."""
        if len(bottom[0].data) != 1:
            raise NetError(
                f"{self}: {len(bottom[0].data)} images, Only single item batches are supported. Give one image."
            )
        height, width = bottom[0].data.shape[-2:]
        truth, image = true_boxes(bottom[1], str(self)), bottom[2].data.reshape(-1)
        cells = np.stack([*np.meshgrid(np.arange(width), np.arange(height))] * 2, axis=-1)
        boxes = (cells[:, :, None] * self.given["feat_stride"] + self.boxes).reshape(-1, 4)
        border = self.given["allowed_border"]
        inside = np.flatnonzero((boxes[:, :2] >= -border).all(1) & (boxes[:, 2:] < image[[1, 0]] + border).all(1))
        labels, best = np.full(len(boxes), NEITHER), np.zeros(len(boxes), np.int64)
        labels[inside], best[inside] = self.labelled(pixel_overlaps(boxes[inside], truth[:, :4]))
        targets = np.zeros((len(boxes), 4))
        targets[inside] = moves(boxes[inside], truth[best[inside]])
        weights = np.where((labels == OBJECT)[:, None], self.given["rpn_bbox_inside_weights"], 0)
        outside = np.repeat(self.outside(labels)[:, None], 4, axis=1)
        count = len(self.boxes)
        put(top[0], labels.reshape(height, width, count).transpose(2, 0, 1).reshape(1, 1, count * height, width))
        for blob, values in zip(top[1:], (targets, weights, outside), strict=True):
            put(blob, values.reshape(1, height, width, 4 * count).transpose(0, 3, 1, 2))

    def labelled(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """OBJECT, BACKGROUND or NEITHER of each anchor, and the true box that it overlaps most; shares: (anchors, G)"""
        given, labels = self.given, np.full(len(shares), NEITHER)
        if not len(shares):
            return labels, labels + 1
        most = shares.max(axis=1)
        background = most < given["rpn_negative_overlap"]
        if not given["rpn_clobber_positives"]:
            labels[background] = BACKGROUND
        labels[(shares == shares.max(axis=0)).any(axis=1)] = OBJECT
        labels[most >= given["rpn_positive_overlap"]] = OBJECT
        if given["rpn_clobber_positives"]:
            labels[background] = BACKGROUND
        room = int(given["rpn_fg_fraction"] * given["rpn_batchsize"])
        for kind in (OBJECT, BACKGROUND):
            mine = np.flatnonzero(labels == kind)
            labels[np.setdiff1d(mine, self.draws.some(mine, room))] = NEITHER
            room = given["rpn_batchsize"] - int((labels == OBJECT).sum())
        return labels, shares.argmax(axis=1)

    def outside(self, labels: np.ndarray) -> np.ndarray:
        """What each anchor counts in the loss of the moves."""
        share = self.given["rpn_positive_weight"]
        count = {kind: max(int((labels == kind).sum()), 1) for kind in (OBJECT, BACKGROUND)}
        if share < 0:
            each = 1 / max(int((labels != NEITHER).sum()), 1)
            return np.where(labels != NEITHER, each, 0)
        found = np.where(labels == OBJECT, share / count[OBJECT], 0)
        return np.where(labels == BACKGROUND, (1 - share) / count[BACKGROUND], found)
