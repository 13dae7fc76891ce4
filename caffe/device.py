"""CPU or GPU, and the random generators: the engine's only global state.

Caffe::set_mode, SetDevice and set_random_seed (src/caffe/common.cpp).
"""

import os

# oneDNN keeps what it compiled for a shape; a net on images of many sizes needs more room than the default of 1024, or
# it compiles every kernel anew at every iteration. Read when torch computes its first convolution.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")

import torch

from caffe.errors import UsageError
from caffe.log import log

_device = torch.device("cpu")
_gpu_id = 0
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
        raise UsageError(f"set_device: GPU {gpu_id} asked for, this machine has {count} (0 to {count - 1})")
    _gpu_id = gpu_id
    if _device.type == "cuda":
        set_mode_gpu()


def mode_is_gpu() -> bool:
    """Whether layers compute on a GPU."""
    return _device.type == "cuda"


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
