"""The pad of a net's first convolution, where elision makes it smaller (elision.py)."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
import torch.nn.functional as F

from caffe.ops import functions
from caffe.ops.calls import ConvolutionCall

_here = threading.local()
"""`pad`, while a convolution on this thread is to pad less than it says."""


@contextmanager
def padding(rows: Sequence[int], columns: Sequence[int]) -> Iterator[None]:
    """While this lasts, the convolution that this thread computes pads by so much, before and after, instead."""
    _here.pad = (*columns, *rows)
    try:
        yield
    finally:
        _here.pad = None


def pays(c: ConvolutionCall) -> bool:
    """Whether this convolution pads less than it says."""
    return getattr(_here, "pad", None) is not None


def convolve(c: ConvolutionCall) -> torch.Tensor:
    """The convolution of a map that has its pad already."""
    pad, _here.pad = _here.pad, None
    return functions.CONV2D(replace(c, x=F.pad(c.x, pad), pad=(0, 0)))
