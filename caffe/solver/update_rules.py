"""Six formulas that turn a gradient into an update: SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam.

Each is `rule(diff, history, rate, settings)`: `diff` holds the gradient g and is overwritten by the update u, which the
solver subtracts from the weights; the tensors in `history` are this parameter's memory, updated in place; `rate` is the
learning rate times the parameter's lr_mult. All tensors of one call have the same shape. As in Caffe, the learning rate
lies inside the momentum history (src/caffe/solvers/*_solver.cpp).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from caffe.log import log

Tensor = torch.Tensor


@dataclass(frozen=True)
class RuleSettings:
    """What the formulas take from SolverParameter, and the number of updates made before this one."""

    momentum: float = 0.0
    momentum2: float = 0.999
    delta: float = 1e-8
    rms_decay: float = 0.99
    iteration: int = 0


Rule = Callable[[Tensor, Sequence[Tensor], float, RuleSettings], None]


def sgd(diff: Tensor, history: Sequence[Tensor], rate: float, settings: RuleSettings) -> None:
    """h ← momentum·h + rate·g;  u = h"""
    (h,) = history
    diff.copy_(h.mul_(settings.momentum).add_(diff, alpha=rate))


def nesterov(diff: Tensor, history: Sequence[Tensor], rate: float, settings: RuleSettings) -> None:
    """h' = momentum·h + rate·g;  u = (1 + momentum)·h' − momentum·h"""
    (h,) = history
    momentum = settings.momentum
    before = h.clone()
    h.mul_(momentum).add_(diff, alpha=rate)
    torch.mul(h, 1 + momentum, out=diff).sub_(before, alpha=momentum)


def adagrad(diff: Tensor, history: Sequence[Tensor], rate: float, settings: RuleSettings) -> None:
    """h ← h + g²;  u = rate·g / (√h + delta)"""
    (h,) = history
    h.addcmul_(diff, diff)
    diff.div_(h.sqrt().add_(settings.delta)).mul_(rate)


def rmsprop(diff: Tensor, history: Sequence[Tensor], rate: float, settings: RuleSettings) -> None:
    """h ← rms_decay·h + (1 − rms_decay)·g²;  u = rate·g / (√h + delta)"""
    (h,) = history
    h.mul_(settings.rms_decay).addcmul_(diff, diff, value=1 - settings.rms_decay)
    diff.div_(h.sqrt().add_(settings.delta)).mul_(rate)


def adadelta(diff: Tensor, history: Sequence[Tensor], rate: float, settings: RuleSettings) -> None:
    """a ← m·a + (1 − m)·g²;  v = g·√((b + delta) / (a + delta));  b ← m·b + (1 − m)·v²;  u = rate·v"""
    a, b = history
    momentum, delta = settings.momentum, settings.delta
    a.mul_(momentum).addcmul_(diff, diff, value=1 - momentum)
    diff.mul_((b + delta).div_(a + delta).sqrt_())
    b.mul_(momentum).addcmul_(diff, diff, value=1 - momentum)
    diff.mul_(rate)


def adam(diff: Tensor, history: Sequence[Tensor], rate: float, settings: RuleSettings) -> None:
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  u = rate·√(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + delta)

    with β₁ = momentum, β₂ = momentum2, t = iteration + 1.
    """
    m, v = history
    beta1, beta2, t = settings.momentum, settings.momentum2, settings.iteration + 1
    correction = math.sqrt(1 - beta2**t) / (1 - beta1**t)
    m.mul_(beta1).add_(diff, alpha=1 - beta1)
    v.mul_(beta2).addcmul_(diff, diff, value=1 - beta2)
    torch.sqrt(v, out=diff).add_(settings.delta)
    torch.div(m, diff, out=diff).mul_(rate * correction)


def clip_scale(gradients: Iterable[Tensor], most: float) -> float:
    """The factor that brings the norm of all gradients down to `most`; 1 if that is negative (ClipGradients)."""
    found = [] if most < 0 else list(gradients)
    if not found:
        return 1.0
    norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each) for each in found])))
    if norm <= most:
        return 1.0
    log.info("Gradient clipping: scaling down gradients (L2 norm %g > %g) by scale factor %g", norm, most, most / norm)
    return most / norm


RULES: dict[str, Rule] = {
    "SGD": sgd,
    "Nesterov": nesterov,
    "AdaGrad": adagrad,
    "RMSProp": rmsprop,
    "AdaDelta": adadelta,
    "Adam": adam,
}
MEMORIES = {name: 2 if name in ("AdaDelta", "Adam") else 1 for name in RULES}
"""How many history tensors a parameter has. A solver's history lists the first of every parameter, then the second."""

MOVING_ON = (sgd, nesterov)
"""Rules whose update at rate 0 is what momentum is left; the others' is zero."""

CHUNK = 1 << 16
"""Values per step and thread on the CPU: so few that weights, gradient and history stay in the cache through all
operations, and so many that torch shares each of these among its threads."""


def update(
    rule: Rule,
    weights: Tensor,
    diff: Tensor,
    history: Sequence[Tensor],
    rate: float,
    settings: RuleSettings,
    *,
    scale: float = 1.0,
    decay: float = 0.0,
    l1: bool = False,
) -> None:
    """One parameter's step, in place: scale the gradient, add the weight decay, apply the rule, subtract the update.

    decay: weight_decay times the parameter's decay_mult, times w (L2) or sign(w) (l1). `diff` holds the update after.
    """
    whole = (weights.view(-1), diff.view(-1), *(h.view(-1) for h in history))
    size = CHUNK * torch.get_num_threads()
    at_once = weights.device.type != "cpu" or weights.numel() <= size
    for w, g, *memory in [whole] if at_once else zip(*(each.split(size) for each in whole), strict=True):
        if scale != 1:
            g.mul_(scale)
        if decay:
            g.add_(w.sign() if l1 else w, alpha=decay)
        rule(g, memory, rate, settings)
        if rate or rule in MOVING_ON:
            w.sub_(g)
