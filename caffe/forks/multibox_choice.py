"""The priors of a batch that count in MultiBoxLoss: matches with true boxes, and the hardest of the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe.forks.box_codes import decoded, encoded
from caffe.forks.box_matching import FREE, by_image, hardest, hardest_apart, matched
from caffe.proto import caffe_pb2

MultiBox = caffe_pb2.MultiBoxLossParameter


@dataclass
class Chosen:
    """Indices into the predictions of a batch, and what these should be."""

    image: np.ndarray
    prior: np.ndarray
    set: np.ndarray
    """Of the locations: 0, or the class where each has its own."""
    codes: np.ndarray
    """(M, 4), what the locations should be, divided by the variances."""
    divisors: np.ndarray
    """(M, 4), what the locations are divided by."""
    inside: np.ndarray
    """(M, 4), 1 for sides that count, else 0."""
    scored: tuple[np.ndarray, np.ndarray]
    """(image, prior) of each row of scores that counts."""
    targets: np.ndarray
    """The class of each such row; for LOGISTIC 1 or 0 for each class."""


@dataclass
class _Image:
    """The same of one image: `rows` are the true boxes that its M matches are matched with, (M, 8)."""

    prior: np.ndarray
    set: np.ndarray
    rows: np.ndarray
    scored: np.ndarray
    targets: np.ndarray


@dataclass
class Choice:
    """A layer's settings for the choice."""

    param: Any
    """MultiBoxLossParameter."""
    boxes: np.ndarray
    """(P, 4), the priors."""
    variances: np.ndarray
    """(P, 4)"""

    def choose(self, locations: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> Chosen:
        """locations: (N, P, sets, 4); scores: (N, P, classes); truth: (G, 8)"""
        rows = by_image(truth, len(locations))
        parts = [self._of_image(*each) for each in zip(locations, scores, rows, strict=True)]
        image, scored = (
            np.repeat(np.arange(len(parts)), [len(getattr(part, name)) for part in parts])
            for name in ("prior", "scored")
        )
        prior, set_, true = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("prior", "set", "rows")
        )
        codes = encoded(true[:, 3:7], self.boxes[prior], self.variances[prior], self.param.code_type)
        divisors = self.variances[prior] if self.param.encode_variance_in_target else np.ones_like(codes)
        inside = np.ones_like(codes)
        if self.param.bp_inside:
            boxes = self.boxes[prior]
            if not self.param.use_prior_for_matching:
                boxes = self._decoded(locations[image, prior, set_], prior)
            inside = ((boxes >= 0) & (boxes <= 1)).astype(codes.dtype)
        return Chosen(
            image, prior, set_, codes, divisors, inside, (scored, np.concatenate([part.scored for part in parts])),
            np.concatenate([part.targets for part in parts]),
        )  # fmt: skip

    def _decoded(self, codes: np.ndarray, prior: np.ndarray | slice) -> np.ndarray:
        variances = 1.0 if self.param.encode_variance_in_target else self.variances[prior]
        return decoded(codes, self.boxes[prior], variances, self.param.code_type)

    def _of_image(self, locations: np.ndarray, scores: np.ndarray, rows: np.ndarray) -> _Image:
        """locations: (P, sets, 4); scores: (P, classes); rows: (G, 8)"""
        sets = self._matched(locations, rows) if len(rows) else []
        negatives = np.arange(0)
        if sets and self.param.mining_type != MultiBox.NONE:
            number, found, most = sets[0]
            found, negatives = self._mined(found, most, locations[:, 0], scores, rows)
            sets = [(number, found, most)]
        nothing = np.arange(0)
        prior = np.concatenate([nothing, *(np.flatnonzero(found >= 0) for _, found, _ in sets)])
        of_set = np.concatenate([nothing, *(np.full((found >= 0).sum(), number) for number, found, _ in sets)])
        true = rows[np.concatenate([nothing, *(found[found >= 0] for _, found, _ in sets)])]
        return _Image(prior, of_set, true, *self._targets(prior, self._labels(true), negatives, scores.shape))

    def _labels(self, rows: np.ndarray) -> np.ndarray:
        if self.param.map_object_to_agnostic:
            return np.full(len(rows), self.param.background_label_id + 1)
        return rows[:, 1].astype(np.int64)

    def _matched(self, locations: np.ndarray, rows: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(set, the true box of each prior, its largest overlap with any), for each set of locations."""
        param, count = self.param, locations.shape[1]
        threshold = param.overlap_threshold if param.match_type == MultiBox.PER_PREDICTION else None
        outside, labels = param.ignore_cross_boundary_bbox, rows[:, 1].astype(np.int64)
        sets = [0] if param.share_location else [each for each in range(count) if each != param.background_label_id]
        if param.use_prior_for_matching:
            found, most = matched(self.boxes, rows[:, 3:7], threshold, ignore_outside=outside)
            if param.share_location:
                return [(0, found, most)]
            return [(each, np.where((found >= 0) & (labels[found] == each), found, FREE), most) for each in sets]
        results = []
        for each in sets:
            mine = np.arange(len(rows)) if param.share_location else np.flatnonzero(labels == each)
            boxes = self._decoded(locations[:, each], slice(None))
            found, most = matched(boxes, rows[mine, 3:7], threshold, ignore_outside=outside)
            if len(mine):
                found = np.where(found >= 0, mine[found], found)
            results.append((each, found, most))
        return results

    def _mined(
        self, found: np.ndarray, most: np.ndarray, locations: np.ndarray, scores: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The matches that stay, and the priors that count as background."""
        param = self.param
        prior, hard_examples = np.flatnonzero(found >= 0), param.mining_type == MultiBox.HARD_EXAMPLE
        labels = np.full(len(scores), param.background_label_id)
        labels[prior] = rows[found[prior], 1]
        losses = self._losses_of_scores(scores, labels)
        if hard_examples:
            losses[prior] += self._losses_of_locations(locations[prior], prior, rows[found[prior], 3:7])
            eligible, count = np.ones(len(found), bool), param.sample_size
        else:
            eligible = (found == FREE) & (most < np.float32(param.neg_overlap))
            count = min(int(np.float32(len(prior)) * np.float32(param.neg_pos_ratio)), int(eligible.sum()))
        nms = param.nms_param
        if param.HasField("nms_param") and nms.nms_threshold > 0:
            boxes = self.boxes if param.use_prior_for_nms else self._decoded(locations, slice(None))
            top_k = nms.top_k if nms.HasField("top_k") else -1
            selected = hardest_apart(losses, eligible, count, boxes, nms.nms_threshold, top_k)
        else:
            selected = hardest(losses, eligible, count)
        negatives = np.sort(selected[found[selected] == FREE])
        if hard_examples:
            stays = np.isin(np.arange(len(found)), selected)
            found = np.where((found >= 0) & ~stays, FREE, found)
        return found, negatives

    def _losses_of_scores(self, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        if self.param.conf_loss_type == MultiBox.SOFTMAX:
            above = scores - scores.max(axis=1, keepdims=True)
            return np.log(np.exp(above).sum(axis=1)) - above[np.arange(len(scores)), labels]
        targets = _one_hot(labels, scores.shape[1])
        return (np.logaddexp(0, scores) - targets * scores).sum(axis=1)

    def _losses_of_locations(self, locations: np.ndarray, prior: np.ndarray, true: np.ndarray) -> np.ndarray:
        variances = self.variances[prior]
        codes = encoded(true, self.boxes[prior], variances, self.param.code_type)
        away = np.abs(locations / (variances if self.param.encode_variance_in_target else 1) - codes)
        near = away**2 / 2
        smooth = self.param.loc_loss_type == MultiBox.SMOOTH_L1
        return (np.where(away < 1, near, away - 0.5) if smooth else near).sum(axis=1)

    def _targets(
        self, prior: np.ndarray, labels: np.ndarray, negatives: np.ndarray, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The priors whose scores count, and the class of each, or 1 or 0 for each class."""
        background, softmax = self.param.background_label_id, self.param.conf_loss_type == MultiBox.SOFTMAX
        if self.param.mining_type != MultiBox.NONE:
            every = np.concatenate([labels, np.full(len(negatives), background)])
            return np.concatenate([prior, negatives]), every if softmax else _one_hot(every, shape[1])
        if softmax:
            every = np.full(shape[0], background)
            every[prior] = labels
            return np.arange(shape[0]), every
        targets = np.zeros(shape)
        targets[prior, labels] = 1
        return np.arange(shape[0]), targets


def _one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(M, classes); a label beyond the classes is none of them."""
    return (labels[:, None] == np.arange(classes)).astype(np.float64)
