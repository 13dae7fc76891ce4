"""Mean-field inference in a fully connected random field.

P. Krähenbühl and V. Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, NIPS 2011; with
learned compatibilities: S. Zheng, S. Jayasumana and others, Conditional Random Fields as Recurrent Neural Networks,
ICCV 2015.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from caffe.ops.gaussian_filter import GaussianFilter

_WIDE = 16  # classes from which torch's softmax along the last axis is the faster one


def mean_field(
    unary: Tensor,
    filters: Sequence[GaussianFilter],
    mixes: Sequence[Tensor | float],
    iterations: int,
    start: Tensor | None = None,
) -> Tensor:
    """Scores (N, classes) after some iterations at all points at once; their softmax is Q.

    Each iteration is x ← unary + Σ_k A_k K_k softmax(x), from x = `start`, or `unary` (N, classes: log-probabilities,
    or scores, which differ from them by a constant at each point). A_k, the mix of filter k, says how much each class
    at other points speaks for each class here: a number w (the Potts model of weight w, up to a constant at each
    point), one for each class, or a matrix (classes, classes), which `mixes_of` makes of a compatibility. A point is
    its own neighbour, too, as in the authors' code. Differentiable with respect to `unary`, `start` and the mixes.
    """
    _check(unary, filters, mixes, iterations, start)
    scores = unary if start is None else start
    for _ in range(iterations):
        q = softmax(scores)
        scores = unary
        for kernel, mix in zip(filters, mixes, strict=True):
            scores = kernel.spread(_mixed(kernel.gather(q), mix)).add_(scores)
    return scores


def mixes_of(compatibility: Tensor, weights: Sequence[Tensor | float]) -> list[Tensor]:
    """A_k = -μ W_k, (classes, classes) each, of a compatibility μ (classes, classes) and the weights of each filter.

    μ[l, m] is the penalty for class l here and m there: 1 - I is Potts. A weight is a number, one for each class, or a
    matrix (classes, classes), as the layer MultiStageMeanfield learns it.
    """
    return [-(compatibility @ w if isinstance(w, Tensor) and w.dim() == 2 else compatibility * w) for w in weights]


def softmax(scores: Tensor) -> Tensor:
    """Along the last of two axes."""
    if scores.shape[1] >= _WIDE or scores.device.type != "cpu":
        return scores.softmax(1)
    exponentials = (scores - scores.detach().amax(1, keepdim=True)).exp_()
    total = exponentials.sum(1, keepdim=True)
    return exponentials / total if torch.is_grad_enabled() else exponentials.div_(total)


def _mixed(values: Tensor, mix: Tensor | float) -> Tensor:
    if isinstance(mix, Tensor) and mix.dim() == 2:
        return values @ mix.t()
    return values * mix


def _check(
    unary: Tensor,
    filters: Sequence[GaussianFilter],
    mixes: Sequence[Tensor | float],
    iterations: int,
    start: Tensor | None,
) -> None:
    if unary.dim() != 2:
        raise ValueError(f"unary has the shape {tuple(unary.shape)}; expected (points, classes)")
    if start is not None and start.shape != unary.shape:
        raise ValueError(f"start has the shape {tuple(start.shape)}; expected that of unary, {tuple(unary.shape)}")
    if len(filters) != len(mixes):
        raise ValueError(f"{len(filters)} filters have {len(mixes)} mixes; expected one for each")
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}; expected 0 or more")
    classes = unary.shape[1]
    for mix in mixes:
        if isinstance(mix, Tensor) and mix.shape not in {(), (classes,), (classes, classes)}:
            raise ValueError(
                f"a mix has the shape {tuple(mix.shape)}; expected a number, ({classes},) or ({classes}, {classes})"
            )
