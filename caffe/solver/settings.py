"""Settings of a solver that cannot work: refused before a net is built, with the field's name.

BVLC Caffe checks few of them, often after hours; others end it, or silently ruin the weights. Settings that train there
as documented are accepted.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from caffe.errors import NetError
from caffe.proto import caffe_pb2
from caffe.solver import average_precision
from caffe.solver.learning_rate import check_policy

REGULARIZATIONS = ("L1", "L2")
_NUMBERS = ("base_lr", "gamma", "power", "momentum", "weight_decay", "delta", "rms_decay", "momentum2")


class _Bound(NamedTuple):
    """What the value of a field must be for some types of solvers."""

    field: str
    types: tuple[str, ...]
    holds: Callable[[float], bool]
    otherwise: str
    """The problem with other values, and what to do."""


_ALL = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
_DIVIDES = "it keeps a division by zero away: set it above 0 (the default is 1e-8)."
_BOUNDS = (
    _Bound("average_loss", _ALL, lambda n: n >= 1, "average_loss should be at least 1. Correct it."),
    _Bound("iter_size", _ALL, lambda n: n >= 1, "so many batches make one update: set it to 1 or more."),
    _Bound(
        "clip_gradients",
        _ALL,
        lambda norm: norm > 0 or norm < 0,
        "all gradients would be scaled to this norm, and nothing learned: set it above 0, or to -1 for no clipping.",
    ),
    _Bound("momentum", ("AdaGrad", "RMSProp"), lambda m: m == 0, "Momentum cannot be used with {type}. Remove it."),
    _Bound(
        "momentum",
        ("SGD", "Nesterov", "Adam"),
        lambda m: -1 < m < 1,
        "the updates would never die away: set it below 1 (0.9 is usual).",
    ),
    _Bound("momentum", ("AdaDelta",), lambda m: 0 <= m <= 1, "set it between 0 and 1 (0.95 is usual)."),
    _Bound("momentum2", ("Adam",), lambda m: 0 <= m < 1, "set it to 0 or more and below 1 (0.999 is usual)."),
    _Bound("delta", ("AdaGrad", "RMSProp", "AdaDelta", "Adam"), lambda delta: delta > 0, _DIVIDES),
    _Bound("rms_decay", ("RMSProp",), lambda r: 0 <= r < 1, "rms_decay should lie between 0 and 1. Correct it."),
)


def check(param: caffe_pb2.SolverParameter, type_: str) -> None:
    """Raise NetError for a SolverParameter with which a solver of this type cannot train.

    An lr_policy that is not given is left to the first step, as in BVLC Caffe: some scripts make a solver for its net.
    """
    for field in _NUMBERS:
        if not math.isfinite(getattr(param, field)):
            raise NetError(f"solver: {field} is {getattr(param, field):g}, expected a finite number. Correct {field}.")
    for bound in _BOUNDS:
        value = getattr(param, bound.field)
        if type_ in bound.types and not bound.holds(value):
            raise NetError(f"solver: {bound.field} is {value:g}: {bound.otherwise.format(type=type_)}")
    average_precision.check(param)
    if param.HasField("lr_policy"):
        check_policy(param)
    if param.weight_decay and param.regularization_type not in REGULARIZATIONS:
        raise NetError(
            f"solver: regularization_type: Unknown regularization type: {param.regularization_type}. Set L1 or L2."
        )


def warnings(param: caffe_pb2.SolverParameter) -> Iterator[str]:
    """Warnings of settings that work but are hardly intended."""
    if param.lr_policy in ("step", "exp", "multistep") and param.gamma == 0:
        yield f"solver: gamma is 0: from the first step of lr_policy '{param.lr_policy}' on, the learning rate is 0."
    if param.lr_policy == "multistep" and list(param.stepvalue) != sorted(param.stepvalue):
        yield (
            f"solver: stepvalue is {', '.join(map(str, param.stepvalue))}, in no rising order: a step is taken only "
            "after all those before it."
        )
    if param.base_lr < 0:
        yield f"solver: base_lr is {param.base_lr:g}: updates make the loss larger."
    if param.weight_decay < 0:
        yield f"solver: weight_decay is {param.weight_decay:g}: it makes weights larger."
    for field in ("display", "snapshot", "test_interval"):
        value = getattr(param, field)
        if value < 0:
            yield f"solver: {field} is {value}, which means every {-value} iterations; 0 means never."
