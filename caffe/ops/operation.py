"""An operation on tensors, and the ways to compute it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from caffe import switches

C = TypeVar("C")


@dataclass(frozen=True)
class Way(Generic[C]):
    """A way to compute an operation.

    pays: whether it is faster than those below it, for a call; run: computes the call; prepare: makes of the call's
    weights what `run` then takes as its second argument.
    """

    name: str
    pays: Callable[[C], bool]
    run: Callable[..., torch.Tensor]
    prepare: Callable[[C], Any] | None = None


class Operation(Generic[C]):
    """What layers call: computed by the first of its ways that pays, of which the last, torch's own, always does.

    The plan puts faster ways before torch's (caffe/plan/ways.py); with CAFFE_PLAN=plain, torch's is the only one.
    """

    def __init__(self, torchs: Callable[[C], torch.Tensor]):
        self.ways: tuple[Way[C], ...] = (Way("torch", lambda call: True, torchs),)

    def __call__(self, call: C) -> torch.Tensor:
        way = self.ways[-1]
        if not switches.PLAIN:
            for way in self.ways:
                if way.pays(call):
                    break
        return way.run(call) if way.prepare is None else way.run(call, way.prepare(call))
