"""Pairs of files: an image and its edge map."""

from __future__ import annotations

import numpy as np

from fcn_caffe.data_layers.folder_layers import FolderSegDataLayer
from fcn_caffe.data_layers.segdata import files, labels, pairs, params
from fcn_caffe.data_layers.segdata.layer import ILSVRC_MEAN

DARKEST, BRIGHTEST = 1, 255


class EdgeFolderDataLayer(FolderSegDataLayer):
    """Images under `images`, and under `edges` a gray picture of the edges of each, 0 for none, 255 for an edge that
    all annotators drew; with the same name but for the ending, or by a list (`split`, lines `image edges`, as in HED's
    lists).

    least    the gray value from which a pixel is an edge, 1 to 255; default 128, half of those who drew, as HED's own
             reader rounds
    doubt    True: what is neither 0 nor an edge is void. False (default): it is no edge

    Tops: `data`, and `edges`, 1×1×H×W: 1, 0, or 255 for void. For the other settings see SegDataLayer.
    """

    requires = ("images", "edges")
    accepts = ("least", "doubt")
    own_mean = ILSVRC_MEAN

    def prepare(self) -> None:
        self.least = params.whole(self.settings, "least", 128, DARKEST, self.who, BRIGHTEST)
        self.doubt = bool(params.choice(self.settings, "doubt", False, (True, False), self.who))
        self.label_map = self.map_labels(labels.from_zero(2), 2)
        self.images = pairs.by_stem(self.folder("images"), "images")
        self.labels = pairs.by_stem(self.folder("edges"), "pictures of edges")

    def read_label(self, path: str) -> np.ndarray:
        """0, 1 and void of a picture of edges, height×width."""
        gray = files.read_colours(path, self.upright).max(2)
        found = (gray >= self.least).astype(np.uint8)
        if self.doubt:
            found[(gray > 0) & (found == 0)] = labels.VOID
        return found
