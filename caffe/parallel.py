"""pycaffe's names for training on several GPUs. One process drives one device here."""

from typing import Any

from caffe.errors import UsageError

_REFUSAL = "Multi-GPU execution not available: one process trains on one device. Choose it with caffe.set_device(id)."


def has_nccl() -> bool:
    """Whether training on several GPUs is available."""
    return False


def solver_count() -> int:
    """How many solvers train together."""
    return 1


def solver_rank() -> int:
    """Which of them this process is; 0 is the root, which logs, tests and saves."""
    return 0


def set_solver_count(count: int) -> None:
    if count != 1:
        raise UsageError(f"set_solver_count({count}): {_REFUSAL}")


def set_solver_rank(rank: int) -> None:
    if rank != 0:
        raise UsageError(f"set_solver_rank({rank}): {_REFUSAL}")


def set_multiprocess(multiprocess: bool) -> None:
    """Whether each solver has its own process; with one solver it makes no difference."""


class NCCL:
    def __init__(self, solver: Any, uid: str):
        raise UsageError(f"NCCL: {_REFUSAL}")

    @staticmethod
    def new_uid() -> str:
        raise UsageError(f"NCCL.new_uid: {_REFUSAL}")
