"""Detection: SSD's MultiBoxLoss."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from caffe.blob import Blob
from caffe.errors import LabelError, NetError, ShapeError
from caffe.forks.multibox_choice import Choice, Chosen, MultiBox
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape
from caffe.layer_types.helpers.loss_base import LossLayer, Modes, normalization_of, normalizer

NO_IMAGE = -1
"""The image of a row that holds no box."""


@register_layer
class MultiBoxLoss(LossLayer):
    """How far a detector's boxes and classes are from the true ones.

    y = (loc_weight · Σ f(locations − codes of the true boxes) + Σ g(scores)) / normalizer, over the matched priors, g
        over as many of the hardest others, too; f(d) = d² / 2 where |d| < 1 or always (L2), else |d| − 1/2; g: the
        cross entropy after a softmax, or after a sigmoid of each class
    bottom: locations (N, P · 4 [· classes]), scores (N, P · classes), priors (1, 2, P · 4), true boxes (1, 1, G, 8):
        image (−1: none), class, instance, xmin, ymin, xmax, ymax, difficult
    top: the loss, one number; only locations and scores have a gradient
    parameters: num_classes; match_type (PER_PREDICTION: after each true box has got the prior that overlaps it most,
        BIPARTITE, priors take the one that they overlap by overlap_threshold (0.5) or more); use_prior_for_matching
        (true; false: predicted boxes are matched); mining_type (MAX_NEGATIVE: of each image neg_pos_ratio (3) unmatched
        priors for each match, with an overlap below neg_overlap (0.5) and the largest loss of the scores; HARD_EXAMPLE:
        of all priors sample_size (64), by both losses; NONE: all) with nms_param and use_prior_for_nms (false);
        loc_loss_type (SMOOTH_L1, L2), conf_loss_type (SOFTMAX, LOGISTIC), loc_weight (1), code_type (CORNER,
        CENTER_SIZE, CORNER_SIZE), encode_variance_in_target, bp_inside (false), share_location (true),
        background_label_id (0), use_difficult_gt (true), map_object_to_agnostic, ignore_cross_boundary_bbox (false);
        loss_param normalization (VALID: the matches, FULL: N · P, BATCH_SIZE, NONE); `propagate_down: false` leaves
        a term out
    restrictions: an image without a true box counts for nothing, unless mining_type is NONE. Under LOGISTIC without
        mining, SSD mixes up the images of a batch; here each has its own labels
    source: SSD: src/caffe/layers/multibox_loss_layer.cpp, src/caffe/util/bbox_util.cpp
    """

    bottoms = 4
    settings = ("multibox_loss_param", "loss_param")
    no_gradient = (2, 3)
    traits = replace(LossLayer.traits, replayable=False)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.param = self.layer_param.multibox_loss_param
        self.normalization = normalization_of(self.layer_param.loss_param, Modes.VALID)
        self.classes, self.background = param.num_classes, param.background_label_id
        self.sets = 1 if param.share_location else self.classes
        self.mining = param.mining_type
        if self.classes < 1 or (param.conf_loss_type == MultiBox.SOFTMAX and self.background >= self.classes):
            raise NetError(
                f"{self}: num_classes is {self.classes}, background_label_id {self.background}. Must provide "
                "num_classes, and background_label_id should be within [0, num_classes) for Softmax."
            )
        if param.HasField("do_neg_mining") and param.do_neg_mining != (self.mining != MultiBox.NONE):
            raise NetError(
                f"{self}: do_neg_mining is {str(param.do_neg_mining).lower()}, mining_type "
                f"{MultiBox.MiningType.Name(self.mining)}: do_neg_mining is deprecated. Leave it out, or make "
                "both agree."
            )
        if self.mining != MultiBox.NONE and not param.share_location:
            raise NetError(
                f"{self}: share_location is false, mining_type {MultiBox.MiningType.Name(self.mining)}. Currently only "
                "support negative mining if share_location is true. Set mining_type: NONE."
            )
        if self.mining != MultiBox.NONE and (param.neg_pos_ratio <= 0 or param.sample_size < 1):
            raise NetError(
                f"{self}: neg_pos_ratio is {param.neg_pos_ratio:g}, sample_size {param.sample_size}; expected numbers "
                "above 0. Correct them."
            )
        if param.map_object_to_agnostic and self.classes != 2:
            raise NetError(f"{self}: map_object_to_agnostic needs num_classes 2, it is {self.classes}. Correct it.")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        locations, scores, priors, truth = bottoms
        count = priors[2] // 4 if len(priors) > 2 else 0
        found = [int(np.prod(shape[1:])) for shape in (locations, scores)]
        if locations[0] != scores[0] or found != [count * self.sets * 4, count * self.classes]:
            raise ShapeError(
                f"{self}: bottoms are {locations}, {scores} and {priors}, with {self.classes} classes. Number of "
                "priors must match number of location predictions and of confidence predictions."
            )
        if truth[-1:] != (8,):
            raise ShapeError(
                f"{self}: true boxes are {truth}, expected (1, 1, G, 8): image, class, instance, box, …"
                " Correct the shape."
            )
        return [()]

    def compute(
        self, locations: torch.Tensor, scores: torch.Tensor, priors: torch.Tensor, truth: torch.Tensor
    ) -> torch.Tensor:
        count = priors.numel() // 8
        locations = locations.reshape(len(locations), count, self.sets, 4)
        scores = scores.reshape(len(scores), count, self.classes)
        found = self.choose(*(each.detach().cpu().numpy() for each in (locations, scores, priors, truth)))
        terms, given = [], [*self.layer_param.propagate_down, True, True]
        if given[0]:
            terms.append(self.param.loc_weight * self._of_locations(locations, found))
        if given[1]:
            terms.append(self._of_scores(scores, found))
        counted = torch.ones(len(found.image))
        divisor = float(normalizer(self.normalization, len(locations), count, counted))
        return sum(terms, locations.new_zeros(())) / divisor

    def _of_locations(self, locations: torch.Tensor, found: Chosen) -> torch.Tensor:
        codes, divisors, inside = (
            torch.from_numpy(each).to(locations) for each in (found.codes, found.divisors, found.inside)
        )
        away = (locations[found.image, found.prior, found.set] / divisors - codes) * inside
        near = away.square() / 2
        if self.param.loc_loss_type == MultiBox.SMOOTH_L1:
            near = torch.where(away.abs() < 1, near, away.abs() - 0.5)
        return near.sum()

    def _of_scores(self, scores: torch.Tensor, found: Chosen) -> torch.Tensor:
        rows, targets = scores[found.scored], torch.from_numpy(found.targets).to(scores.device)
        if self.param.conf_loss_type == MultiBox.SOFTMAX:
            return F.cross_entropy(rows, targets, reduction="sum")
        return F.binary_cross_entropy_with_logits(rows, targets.to(rows), reduction="sum")

    def choose(self, locations: np.ndarray, scores: np.ndarray, priors: np.ndarray, truth: np.ndarray) -> Chosen:
        """The priors of a batch that count. locations: (N, P, sets, 4); scores: (N, P, classes)"""
        boxes, variances = priors.reshape(2, -1, 4)
        if (variances <= 0).any():
            raise NetError(
                f"{self}: a variance of the priors is {variances.min():g}, expected numbers above 0."
                " Correct `variance` of PriorBox."
            )
        rows = self._checked(truth.reshape(-1, 8), len(locations))
        return Choice(self.param, boxes, variances).choose(locations, scores, rows)

    def _checked(self, truth: np.ndarray, images: int) -> np.ndarray:
        """The rows (G, 8) that count."""
        held = truth[:, 0] != NO_IMAGE
        labels = truth[:, 1]
        wrong = labels == self.background
        if not self.param.map_object_to_agnostic:
            wrong = wrong | (labels < 0) | (labels >= self.classes)
        wrong = held & (wrong | (truth[:, 0] < 0) | (truth[:, 0] >= images))
        if wrong.any():
            first = truth[np.flatnonzero(wrong)[0]]
            raise LabelError(
                f"{self}: a true box is of image {first[0]:g} and of class {first[1]:g}; expected images 0 … "
                f"{images - 1} and classes 0 … {self.classes - 1} without {self.background}, the background (Found "
                "background label in the dataset). Correct the labels, or num_classes.",
                self.layer_param.bottom[3],
                np.flatnonzero(wrong).tolist(),
                found=np.unique(labels[wrong]).tolist(),
            )
        return truth[held] if self.param.use_difficult_gt else truth[held & (truth[:, 7] == 0)]
