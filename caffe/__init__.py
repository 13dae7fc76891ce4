"""Caffe, alive again: the names of pycaffe.

Each is imported when it is first used, so that `import caffe` is quick and reading or writing nets needs no torch.
"""
# ruff: noqa: F401 - names under TYPE_CHECKING are for type checkers alone

import sys

if sys.version_info < (3, 10):  # noqa: UP036
    _message = f"caffe: this is Python {sys.version_info[0]}.{sys.version_info[1]}, Python 3.10 or later is needed."
    if sys.argv[:1] == ["-m"]:  # `python -m caffe`: one line, no traceback
        sys.exit(_message)
    raise ImportError(_message)

from importlib import import_module
from typing import TYPE_CHECKING, Any

from caffe.log import init_log, log

if TYPE_CHECKING:
    from caffe import _caffe, classifier, coord_map, detector, draw, io, net_spec, proto, pycaffe, testing
    from caffe.classifier import Classifier
    from caffe.detector import Detector
    from caffe.device import precision, set_device, set_mode_cpu, set_mode_gpu, set_precision, set_random_seed
    from caffe.export.module import to_module
    from caffe.layer_types import layer_type_list
    from caffe.layer_types.added import filler, register_layer
    from caffe.layer_types.base import Layer, TorchLayer
    from caffe.net import Net
    from caffe.net_spec import NetSpec, layers, params, to_proto
    from caffe.plan.threads import set_threads
    from caffe.process import tune_process
    from caffe.ranks import set_multiprocess, set_solver_count, set_solver_rank, solver_count, solver_rank
    from caffe.solver import (
        AdaDeltaSolver,
        AdaGradSolver,
        AdamSolver,
        NesterovSolver,
        RMSPropSolver,
        SGDSolver,
        get_solver,
    )
    from caffe.solver.workers import NCCL, has_nccl
    from caffe.timer import Timer

__version__ = "1.0.0"
TRAIN, TEST = 0, 1

_MODULES = ("_caffe", "classifier", "coord_map", "detector", "draw", "io", "net_spec", "proto", "pycaffe", "testing")
_NAMES = {
    "classifier": ["Classifier"],
    "detector": ["Detector"],
    "device": ["precision", "set_device", "set_mode_cpu", "set_mode_gpu", "set_precision", "set_random_seed"],
    "export.module": ["to_module"],
    "layer_types": ["layer_type_list"],
    "layer_types.added": ["filler", "register_layer"],
    "layer_types.base": ["Layer", "TorchLayer"],
    "net": ["Net"],
    "net_spec": ["NetSpec", "layers", "params", "to_proto"],
    "ranks": ["set_multiprocess", "set_solver_count", "set_solver_rank", "solver_count", "solver_rank"],
    "plan.threads": ["set_threads"],
    "process": ["tune_process"],
    "solver": [
        "AdaDeltaSolver",
        "AdaGradSolver",
        "AdamSolver",
        "NesterovSolver",
        "RMSPropSolver",
        "SGDSolver",
        "get_solver",
    ],
    "solver.workers": ["NCCL", "has_nccl"],
    "timer": ["Timer"],
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["TEST", "TRAIN", "__version__", "init_log", "log", *_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"caffe.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"caffe.{name}")
    else:
        raise AttributeError(f"module 'caffe' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
