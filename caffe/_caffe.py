"""The names of pycaffe's module in C++, for scripts that look there for them (python/caffe/_caffe.cpp)."""

from caffe import __version__
from caffe.blob import Blob, BlobVec
from caffe.device import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from caffe.layer_types import layer_type_list
from caffe.layer_types.base import Layer
from caffe.log import init_log, log
from caffe.net import Net
from caffe.proto.caffe_pb2 import LayerParameter, SolverParameter
from caffe.ranks import set_multiprocess, set_solver_count, set_solver_rank, solver_count, solver_rank
from caffe.solver import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    Solver,
    get_solver,
)
from caffe.solver.workers import NCCL, has_nccl
from caffe.timer import Timer

__all__ = [
    "NCCL",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "BlobVec",
    "BoolVec",
    "DtypeVec",
    "IntVec",
    "Layer",
    "LayerParameter",
    "LayerVec",
    "Net",
    "NetVec",
    "NesterovSolver",
    "RMSPropSolver",
    "RawBlobVec",
    "SGDSolver",
    "Solver",
    "SolverParameter",
    "StringVec",
    "Timer",
    "__version__",
    "get_solver",
    "has_nccl",
    "init_log",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]

RawBlobVec = LayerVec = NetVec = StringVec = IntVec = DtypeVec = BoolVec = list
