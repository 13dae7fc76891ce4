"""CPU or GPU, precision, and the random generators: the engine's only global state.

Caffe::set_mode, SetDevice and set_random_seed (src/caffe/common.cpp).
"""

import math
import os
from collections.abc import Sequence

import numpy as np
import torch

from caffe.device import mappings
from caffe.errors import UsageError
from caffe.log import log

CACHE_LINE = 64
"""Bytes; torch's own memory begins at such a boundary."""
PRECISIONS = ("fp32", "tf32", "bf16")

_device = torch.device("cpu")
_gpu_id = 0
_precision = "fp32"
_generators: dict[torch.device, torch.Generator] = {}


def current() -> torch.device:
    """The device that layers compute on."""
    return _device


def set_mode_cpu() -> None:
    """Compute on the CPU (the default)."""
    global _device
    _device = torch.device("cpu")


def set_mode_gpu() -> None:
    """Compute on the GPU chosen by `set_device`; where there is none, say so and stay on the CPU."""
    global _device
    if torch.cuda.is_available():
        _device = torch.device("cuda", _gpu_id)
    else:
        log.warning("set_mode_gpu: no CUDA device is available here, the CPU is used instead")
        set_mode_cpu()


def set_device(gpu_id: int) -> None:
    """Choose the GPU (0, 1, …) that `set_mode_gpu` uses. Raises UsageError for a GPU that is not there."""
    global _gpu_id
    count = torch.cuda.device_count()
    if gpu_id < 0 or (count and gpu_id >= count):
        raise UsageError(
            f"set_device: GPU {gpu_id} asked for, this machine has {count} (0 to {count - 1}). Choose one of them."
        )
    _gpu_id = gpu_id
    if _device.type == "cuda":
        set_mode_gpu()


def mode_is_gpu() -> bool:
    """Whether layers compute on a GPU."""
    return _device.type == "cuda"


def zeros(shape: Sequence[int], *, lasting: bool = False) -> torch.Tensor:
    """Float32 zeros on the current device; on the CPU, memory that the system gives when it is first written.

    lasting: they are kept for many passes.
    """
    if mode_is_gpu():
        return torch.zeros(tuple(shape), dtype=torch.float32, device=_device)
    found = mappings.mapped(*shape) if lasting else None
    if found is not None:
        return found
    values = torch.from_numpy(np.zeros(math.prod(shape) + CACHE_LINE // 4, np.float32))
    first = -values.data_ptr() % CACHE_LINE // 4
    return values[first : first + math.prod(shape)].view(tuple(shape))


def zero() -> torch.Tensor:
    """What a sum of losses begins with: a float32 zero, on the CPU."""
    return torch.zeros((), dtype=torch.float32, device="cpu")


def set_random_seed(seed: int) -> None:
    """Seed every generator that fillers, Dropout and data layers of the engine draw from."""
    _generators.clear()
    torch.manual_seed(seed)


def generator(device: torch.device | None = None) -> torch.Generator:
    """The engine's own random generator on a device (default: the current one)."""
    device = device or _device
    if device not in _generators:
        _generators[device] = torch.Generator(device).manual_seed(torch.initial_seed() % 2**63)
    return _generators[device]


def set_precision(precision: str) -> None:
    """How convolutions and inner products multiply: "fp32" (the default), "tf32" or "bf16".

    tf32: on GPUs that have it, factors are rounded to 10 bits of mantissa; elsewhere as fp32. bf16: factors have 7
    bits, sums are float32, and what lies between the layers is bf16 too. Parameters, their diffs, the solver's history
    and losses are float32 whatever the precision. Not in BVLC Caffe; CAFFE_PRECISION in the environment says the same.
    Raises UsageError for another word.
    """
    global _precision
    if precision not in PRECISIONS:
        raise UsageError(f"set_precision: '{precision}', expected one of {', '.join(PRECISIONS)}. Choose one of them.")
    _precision = precision
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"


def precision() -> str:
    """How convolutions and inner products multiply."""
    return _precision


def factor_type() -> torch.dtype:
    """The type of what is multiplied."""
    return torch.bfloat16 if _precision == "bf16" else torch.float32


set_precision(os.environ.get("CAFFE_PRECISION") or "fp32")
