"""Linear constraints on the share of each class in an image, and the distribution nearest to a net's that satisfies
them.

argmin_P KL(P‖Q) subject to A p̄ ≥ b, p̄ the mean of P over the pixels. P is Q reweighted: p_i ∝ q_i exp(Aᵀμ), for the
multipliers μ ≥ 0 that minimize Σ_i log Σ_l q_i(l) exp((Aᵀμ)_l) / N − bᵀμ; a constraint with slack has a largest μ.
(Pathak, Krähenbühl, Darrell: Constrained Convolutional Neural Networks for Weakly Supervised Segmentation, ICCV 2015.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

HARD = 1000.0
"""The largest multiplier of a constraint without slack."""
MOST_STEPS = 3000
ENOUGH = 1e-8
LARGE = 0.1
"""The share of the pixels from which a class counts as large."""


@dataclass(frozen=True)
class ConstraintSettings:
    """The constraints that CCNN derives from tags (see CCNNLossLayer). The defaults are the paper's.

    within: None, or how far the share of a class may be from its true one, as a part of that; all else is then unused.
    """

    least: float = 0.05
    slack: float = 2.0
    background: tuple[float, float] = (0.3, 0.7)
    sizes: bool = False
    within: float | None = None

    def __post_init__(self) -> None:
        low, high = self.background
        within = 0 if self.within is None else self.within
        both = self.sizes and self.within is not None
        if both or not (0 <= low <= high <= 1 and 0 <= self.least < 1 and self.slack > 0 and 0 <= within < 1):
            raise ValueError(
                f"CCNN: least {self.least}, slack {self.slack}, background {self.background}, within {self.within}, "
                f"sizes {self.sizes}: expected shares from 0 to 1, the lower bound first, a slack above 0, not both "
                "within and sizes. Correct param_str."
            )


@dataclass
class Constraints:
    """signs[k] · p̄[classes[k]] ≥ bounds[k]; present: which classes there are; largest: of each multiplier."""

    present: np.ndarray
    classes: list[int] = field(default_factory=list)
    signs: list[float] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    largest: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, tags: np.ndarray, settings: ConstraintSettings) -> Constraints:
        """Those of an image's tags."""
        if settings.within is not None:
            return cls.near(tags, settings.within)
        present = tags > 0
        present[0] = True
        made = cls(present)
        for label in np.flatnonzero(present[1:]) + 1:
            large = settings.sizes and tags[label] > LARGE
            made.demand(int(label), 1, LARGE if large else settings.least, settings.slack)
        low, high = settings.background
        made.demand(0, 1, low, settings.slack)
        if present[1:].any():
            made.demand(0, -1, -high, HARD)
        return made

    @classmethod
    def near(cls, shares: np.ndarray, within: float) -> Constraints:
        """Each class has its share, give or take that part of it. shares: one per class, shape (C,)."""
        made = cls(shares > 0)
        for label in np.flatnonzero(made.present):
            made.demand(int(label), 1, (1 - within) * shares[label], HARD)
            made.demand(int(label), -1, -min(1.0, (1 + within) * shares[label]), HARD)
        return made

    def demand(self, label: int, sign: float, bound: float, largest: float) -> None:
        """One constraint more."""
        self.classes.append(label)
        self.signs.append(sign)
        self.bounds.append(bound)
        self.largest.append(largest)

    def nearest(self, logs: np.ndarray) -> np.ndarray:
        """P, C×pixels, of log Q, by projected gradient descent on the dual with a step that grows and shrinks."""
        kept = np.flatnonzero(self.present)
        place = {label: index for index, label in enumerate(kept.tolist())}
        a = np.zeros((len(self.classes), len(kept)))
        for row, (label, sign) in enumerate(zip(self.classes, self.signs)):
            a[row, place[label]] = sign
        b, largest, own = np.array(self.bounds), np.array(self.largest), logs[kept]
        mu, step = np.zeros(len(b)), 1.0
        value, p = _dual(mu, a, b, own)
        for _ in range(MOST_STEPS):
            new = np.clip(mu - step * (a @ p.mean(1) - b), 0, largest)
            if np.abs(new - mu).max() < ENOUGH:
                break
            new_value, new_p = _dual(new, a, b, own)
            if new_value <= value:
                mu, value, p, step = new, new_value, new_p, step * 1.1
            else:
                step *= 0.5
        latent = np.zeros_like(logs)
        latent[kept] = p
        return latent


def _dual(mu: np.ndarray, a: np.ndarray, b: np.ndarray, logs: np.ndarray) -> tuple[float, np.ndarray]:
    """Its value, and the P that goes with it."""
    moved = logs + (mu @ a)[:, None]
    highest = moved.max(0)
    weights = np.exp(moved - highest)
    total = weights.sum(0)
    return float((highest + np.log(total)).mean() - mu @ b), weights / total
