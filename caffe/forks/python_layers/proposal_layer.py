"""rpn.proposal_layer of py-faster-rcnn: regions that may hold an object, as the layer type Proposal finds them.

layer { type: "Python" bottom: "rpn_cls_prob_reshape" bottom: "rpn_bbox_pred" bottom: "im_info" top: "rois"
        python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "'feat_stride': 16" } }
"""

from typing import Any

import numpy as np

from caffe.errors import NetError
from caffe.forks.python_layers import settings
from caffe.forks.regions import anchors, propose
from caffe.layer_types.base import Layer
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text

LIMITS = {caffe_pb2.TRAIN: (12000, 2000), caffe_pb2.TEST: (6000, 300)}
"""How many boxes are looked at, and how many kept: py-faster-rcnn's defaults."""
THRESHOLD, SMALLEST, RATIOS, BASE = 0.7, 16, [0.5, 1, 2], 16


class ProposalLayer(Layer):
    """Bottoms: scores (1, 2 A, H, W), deltas (1, 4 A, H, W), image (height, width, scale).

    Tops: regions, and their scores.
    """

    def setup(self, bottom: Any, top: Any) -> None:
        """Read feat_stride, and scales (8, 16, 32) and ratios (0.5, 1, 2), PVANet's word, if given."""
        given = settings(self.param_str, str(self))
        if "feat_stride" not in given:
            raise NetError(f"{self}: param_str is {self.param_str!r}, expected 'feat_stride': 16, say. Add it.")
        self.stride = int(given["feat_stride"])
        self.boxes = anchors(BASE, list(given.get("ratios", RATIOS)), list(given.get("scales", (8, 16, 32))))
        top[0].reshape(1, 5)
        if len(top) > 1:
            top[1].reshape(1, 1, 1, 1)

    def reshape(self, bottom: Any, top: Any) -> None:
        """Tops get their shapes with their numbers."""

    def forward(self, bottom: Any, top: Any) -> None:
        """The regions of the one image."""
        scores, deltas, image = (blob.data for blob in bottom)
        if len(scores) != 1 or scores.shape[1] != 2 * len(self.boxes):
            raise NetError(
                f"{self}: bottoms are {shape_text(scores.shape)} and {shape_text(deltas.shape)}, with "
                f"{len(self.boxes)} anchors. Only single item batches are supported, with two scores for each anchor."
            )
        before, after = LIMITS[self.phase]
        found, best = propose(
            scores[0, len(self.boxes) :], deltas[0], image.reshape(-1)[:3], self.boxes, self.stride, SMALLEST, before,
            after, THRESHOLD,
        )  # fmt: skip
        top[0].reshape(len(found), 5)
        top[0].data[...] = np.insert(found, 0, 0, axis=1)
        if len(top) > 1:
            top[1].reshape(len(found), 1, 1, 1)
            top[1].data[...] = best.reshape(-1, 1, 1, 1)

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        """This layer does not propagate gradients."""
