"""Torch's modes that a program may have switched on around Caffe's code: inference mode and autocast.

Layers compute, and blobs get their memory, as if both were off. `torch.no_grad`, a default dtype and a default device
change nothing anyhow: layers say what they record, and tensors are made with their type and device.
"""

from contextlib import ExitStack

import torch


def left(device_type: str) -> ExitStack | None:
    """Switch both modes off, for this thread, until the stack is closed; None if neither is on."""
    if not (torch.is_inference_mode_enabled() or torch.is_autocast_enabled(device_type)):
        return None
    stack = ExitStack()
    stack.enter_context(torch.inference_mode(False))
    stack.enter_context(torch.autocast(device_type, enabled=False))
    return stack


def ordinary(values: torch.Tensor) -> torch.Tensor:
    """The same values in a tensor that was not made in inference mode, which could not be changed outside of it."""
    if not values.is_inference():
        return values
    with torch.inference_mode(False):
        return values.clone()
