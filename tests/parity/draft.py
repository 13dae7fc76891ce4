"""A net as it is being drawn: its lines, the shapes of its blobs, and where gradients flow."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from tests.cases.case import input_layer, layer

MOST_LAYERS = 15
MOST_VALUES = 300


WITH_PARAMETERS = {"Convolution", "Deconvolution", "InnerProduct", "Scale", "Bias", "BatchNorm", "PReLU", "Embed"}
WITH_PARAMETERS |= {"RNN", "LSTM", "Parameter"}
NOT_ASKED = {"BatchNorm", "HingeLoss"}  # real Caffe's write their bottom's diff whatever propagate_down says
SHARING = {"Reshape", "RNN", "LSTM", "Parameter"}


@dataclass
class DraftLayer:
    bottoms: list[str]
    tops: list[str]
    propagate_down: list[bool]
    is_loss: bool
    runs_backward: bool


class Draft:
    """A net as far as it is written: its lines, and the shapes of its blobs."""

    def __init__(self, seed: int):
        self.rng = np.random.RandomState(seed)
        self.lines: list[str] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.uses: dict[str, int] = {}
        self.kinds: dict[str, str] = {}
        self.params: dict[str, list[str]] = {}
        self.may_be_overwritten: set[str] = set()
        self.overwritten: set[str] = set()
        self.shared: set[str] = set()  # their diff is the memory of another blob's
        self.floats: set[str] = set()  # blobs a layer may be put on: not labels and the like
        self.layers: list[DraftLayer] = []
        self.needs: set[str] = set()  # blobs that need a gradient
        self.has_loss = False
        self.forced = self.chance(0.6)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random_sample() < probability)

    def integer(self, low: int, high: int) -> int:
        """low ≤ result ≤ high"""
        return int(self.rng.randint(low, high + 1))

    def choose(self, options):
        return options[self.rng.randint(len(options))]

    def number(self, low: float, high: float) -> str:
        return f"{self.rng.uniform(low, high):.3g}"

    def input(self, shape, kind: str = "normal") -> str:
        """A new Input layer; its blob can be picked only if it is of the default kind."""
        name = f"in{sum('Input' in line for line in self.lines)}"
        self.lines.append(input_layer(name, shape))
        self.shapes[name] = tuple(shape)
        self.uses[name] = 0
        if kind == "normal":
            self.floats.add(name)
        else:
            self.kinds[name] = kind
        return name

    def pick(self, allowed=lambda shape: True, but=()) -> str | None:
        """A blob (no scalar) whose shape is allowed; rather an unused and recent one."""
        candidates = self.floats.difference(but)
        names = [name for name, shape in self.shapes.items() if name in candidates and shape and allowed(shape)]
        if not names:
            return None
        weights = np.array([(1.0 if self.uses[name] else 6.0) * (1 + i) for i, name in enumerate(names)])
        return str(self.rng.choice(names, p=weights / weights.sum()))

    def add(self, type: str, bottoms: list[str], tops: list[tuple], body: str = "", params=None, **how) -> list[str]:
        """Append a layer; the names of its tops.

        how: in_place: it may write over its bottom. keeps: a later layer may write over its top, since its own backward
        pass does not look at it. dead: no layer may follow. loss: its top has a loss weight.
        """
        name = f"l{len(self.layers) + 1}"
        some_not = not self.forced and type not in NOT_ASKED and self.chance(0.03)
        propagate = [self.chance(0.5) for _ in bottoms] if some_not else []
        free = bottoms and bottoms[0] in self.may_be_overwritten and (not self.uses[bottoms[0]] or self.chance(0.03))
        free = free and (self.forced or bottoms[0] in self.needs)
        in_place = how.get("in_place") and free and not propagate and self.chance(0.6)
        names = [bottoms[0]] if in_place else [f"{name}_{i}" for i in range(len(tops))]
        body += "".join(f" propagate_down: {str(wanted).lower()}" for wanted in propagate)
        self.lines.append(layer(name, type, bottoms, names, body))
        if type in SHARING or (type == "Concat" and len(bottoms) == 1):
            self.shared.update(names)
        if in_place:
            self.overwritten.add(bottoms[0])
        self._append(type, bottoms, names, body, propagate, how.get("loss", "loss_weight" in body))
        for bottom in bottoms:
            self.uses[bottom] += not in_place
        for top, shape in zip(names, tops, strict=True):
            self.shapes[top] = tuple(shape)
            self.uses.setdefault(top, 0)
            (self.floats.discard if how.get("dead") else self.floats.add)(top)
            (self.may_be_overwritten.add if how.get("keeps") else self.may_be_overwritten.discard)(top)
        if params:
            self.params[name] = list(params)
        return names

    def _append(self, type: str, bottoms: list[str], tops: list[str], body: str, propagate: list[bool], is_loss: bool):
        given = type in ("Scale", "Bias") and len(bottoms) == 2 and "bias_term" not in body
        fixed = "lr_mult: 0" in body and "bias_term: false" in body
        learns = type in WITH_PARAMETERS and not given and not fixed
        runs_backward = learns or not self.needs.isdisjoint(bottoms)
        if runs_backward:
            self.needs.update(tops)
        wanted = propagate or [bottom in self.needs for bottom in bottoms]
        self.layers.append(DraftLayer(bottoms, tops, wanted, is_loss, runs_backward))

    def without_gradient(self) -> list[str]:
        """The blobs (and splits of them) that no gradient flows into: real Caffe has scratch numbers in their diffs."""
        if self.forced:
            return []
        reached: set[str] = set()
        for drawn in reversed(self.layers):
            if drawn.runs_backward and (drawn.is_loss or reached.intersection(drawn.tops)):
                reached.update(itertools.compress(drawn.bottoms, drawn.propagate_down))
        return [pattern for name in self.shapes if name not in reached for pattern in (name, f"{name}_*_split_*")]

    def fits(self, *shapes) -> bool:
        return all(min(shape, default=1) > 0 and np.prod(shape, dtype=int) <= MOST_VALUES for shape in shapes)
