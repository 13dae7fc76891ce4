"""Losses: HED's, which weighs edges and background against each other."""

import torch
import torch.nn.functional as F

from caffe.layer_types.added import register_layer
from caffe.layer_types.loss.targets import SigmoidCrossEntropyLoss


@register_layer(name="SigmoidCrossEntropyLoss", dialect="hed")
class BalancedSigmoidCrossEntropyLoss(SigmoidCrossEntropyLoss):
    """HED's: of each image, edges weigh as much as its share of background, and background as its share of edges.

    y = −Σ w log p[t] / N, w = negatives / (positives + negatives) where t = 1, positives / (positives + negatives)
        where t = 0; other targets give no loss, and have the gradient (sigmoid(x) − t) / N
    bottom: scores x (N, …), targets t of the same count
    top: the loss, one number
    source: HED: src/caffe/layers/sigmoid_cross_entropy_loss_layer.cpp
    """

    def compute(self, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        scores, labels = x.reshape(len(x), -1), targets.detach().reshape(len(x), -1)
        losses = F.binary_cross_entropy_with_logits(scores, labels, reduction="none")
        edges, background = labels == 1, labels == 0
        total = (edges | background).sum(1, keepdim=True).clamp(min=1)
        share = edges.sum(1, keepdim=True) / total
        rest = background.sum(1, keepdim=True) / total
        weighed = torch.where(edges, rest * losses, share * losses)
        silent = losses - losses.detach()
        return torch.where(edges | background, weighed, silent).sum() / len(x)
