"""rpn.proposal_layer of py-faster-rcnn: regions that may hold an object, as the layer type Proposal finds them.

layer { type: "Python" bottom: "rpn_cls_prob_reshape" bottom: "rpn_bbox_pred" bottom: "im_info" top: "rois"
        python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "'feat_stride': 16" } }
"""

from typing import Any

import numpy as np

from caffe.forks.python_layers import PublishedLayer, settings
from caffe.forks.regions import anchors, propose
from caffe.proto import caffe_pb2

LIMITS = {caffe_pb2.TRAIN: (12000, 2000), caffe_pb2.TEST: (6000, 300)}
"""How many boxes are looked at, and how many kept: py-faster-rcnn's defaults."""
THRESHOLD, SMALLEST, RATIOS, SCALES, BASE = 0.7, 16, [0.5, 1, 2], [8, 16, 32], 16


class ProposalLayer(PublishedLayer):
    """Bottoms: scores (1, 2 A, H, W), deltas (1, 4 A, H, W), image (height, width, scale).

    Tops: regions, and their scores.
    """

    bottoms = ("scores", "deltas", "height, width and scale of the image")
    tops = ("regions", "their scores")
    optional = (0, 1)

    def setup(self, bottom: Any, top: Any) -> None:
        """Read feat_stride, and scales (8, 16, 32) and ratios (0.5, 1, 2), PVANet's word, if given."""
        self.check(bottom, top)
        given = {"ratios": RATIOS, "scales": SCALES} | settings(self.param_str, str(self))
        self.stride = self.number(given, "feat_stride", 16)
        self.boxes = anchors(BASE, self.numbers(given, "ratios"), self.numbers(given, "scales"))
        top[0].reshape(1, 5)
        if len(top) > 1:
            top[1].reshape(1, 1, 1, 1)

    def forward(self, bottom: Any, top: Any) -> None:
        """The regions of the one image."""
        scores, deltas, image = (blob.data for blob in bottom)
        count, size = len(self.boxes), scores.shape[2:]
        if scores.shape != (1, 2 * count, *size) or deltas.shape != (1, 4 * count, *size) or image.size < 3:
            raise self.refuse(
                bottom,
                f"(1, {2 * count}, H, W), (1, {4 * count}, H, W) for {count} anchors, and height, width and scale of "
                "the image. Only single item batches are supported",
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
