"""rpn.proposal_target_layer of py-faster-rcnn: which proposed regions are learned from, as what, and how to move them.

layer { type: "Python" bottom: "rpn_rois" bottom: "gt_boxes" top: "rois" top: "labels" top: "bbox_targets"
        top: "bbox_inside_weights" top: "bbox_outside_weights"
        python_param { module: "rpn.proposal_target_layer" layer: "ProposalTargetLayer"
                       param_str: "'num_classes': 21" } }
"""

from typing import Any

import numpy as np

from caffe.errors import NetError
from caffe.forks.python_layers import PublishedLayer, settings
from caffe.forks.python_layers.targets import Draws, moves, pixel_overlaps, put, read, true_boxes

DEFAULTS = {
    "num_classes": None,
    "batch_size": 128,
    "fg_fraction": 0.25,
    "fg_thresh": 0.5,
    "bg_thresh_hi": 0.5,
    "bg_thresh_lo": 0.0,
    "bbox_inside_weights": (1.0, 1.0, 1.0, 1.0),
    "bbox_normalize_targets_precomputed": True,
    "bbox_normalize_means": (0.0, 0.0, 0.0, 0.0),
    "bbox_normalize_stds": (0.1, 0.1, 0.2, 0.2),
}
"""Beside the first, names of py-faster-rcnn's configuration, in small letters, and what its end-to-end training sets.

batch_size −1: all regions.
"""
ALL = -1


class ProposalTargetLayer(PublishedLayer):
    """Bottoms: regions (R, 5) of image 0, true boxes (G, 5); tops: regions (S, 5), labels (S, 1), moves (S, 4 ·
    classes), and their weights inside and outside of the loss."""

    bottoms = ("regions", "true boxes")
    tops = ("regions", "labels", "moves", "weights inside", "weights outside")

    def setup(self, bottom: Any, top: Any) -> None:
        """Read the settings."""
        self.check(bottom, top)
        self.given = read(settings(self.param_str, str(self)), DEFAULTS, str(self))
        self.classes, self.draws = int(self.number(self.given, "num_classes", 21)), Draws()
        if any(blob.count % 5 for blob in bottom):
            raise self.refuse(bottom, "(R, 5) and (G, 5)")
        for blob, width in zip(top, (5, 1, *[4 * self.classes] * 3), strict=True):
            blob.reshape(1, width)

    def forward(self, bottom: Any, top: Any) -> None:
        """Regions and true boxes themselves, sampled."""
        regions, truth = bottom[0].data.reshape(-1, 5), true_boxes(bottom[1], str(self))
        if regions[:, 0].any():
            raise NetError(
                f"{self}: a region is of image {regions[:, 0].max():g}, Only single item batches are supported."
                " Give one image."
            )
        regions = np.concatenate([regions, np.insert(truth[:, :4], 0, 0, axis=1)])
        kept, objects, best = self.sampled(pixel_overlaps(regions[:, 1:], truth[:, :4]))
        labels = np.where(np.arange(len(kept)) < objects, truth[best[kept], 4], 0)
        if labels.max(initial=0) >= self.classes:
            raise NetError(
                f"{self}: a true box is of class {labels.max():g}, num_classes is {self.classes}. Correct one."
            )
        targets = moves(regions[kept, 1:], truth[best[kept]])
        if self.given["bbox_normalize_targets_precomputed"]:
            targets = (targets - self.given["bbox_normalize_means"]) / self.given["bbox_normalize_stds"]
        spread, inside = np.zeros((2, len(kept), self.classes, 4))
        rows = np.flatnonzero(labels > 0)
        spread[rows, labels[rows].astype(np.int64)] = targets[rows]
        inside[rows, labels[rows].astype(np.int64)] = self.given["bbox_inside_weights"]
        flat = (len(kept), -1)
        for blob, values in zip(
            top,
            (regions[kept], labels[:, None], spread.reshape(flat), inside.reshape(flat), (inside > 0).reshape(flat)),
            strict=True,
        ):
            put(blob, values)

    def sampled(self, shares: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
        """The regions that are kept, objects first, how many are objects, and the best true box of every region."""
        given, most = self.given, shares.max(axis=1)
        objects = np.flatnonzero(most >= given["fg_thresh"])
        background = np.flatnonzero((most < given["bg_thresh_hi"]) & (most >= given["bg_thresh_lo"]))
        size = given["batch_size"]
        if size != ALL:
            objects = self.draws.some(objects, int(np.round(given["fg_fraction"] * size)))
            background = self.draws.some(background, size - len(objects))
        return np.concatenate([objects, background]), len(objects), shares.argmax(axis=1)
