"""Fillers: the initial values of parameters (include/caffe/filler.hpp).

Each takes a FillerParameter and a shape and returns a float32 tensor on the current device.
"""

import math
from collections.abc import Callable

import torch

from caffe import device
from caffe.errors import NetError
from caffe.proto import caffe_pb2
from caffe.shapes import Shape, shape_text


def fill(filler: caffe_pb2.FillerParameter, shape: Shape, owner: str = "filler") -> torch.Tensor:
    """Values of the given shape; `owner` names the layer in errors."""
    make = FILLERS.get(filler.type)
    if make is None:
        raise NetError(f"{owner}: Unknown filler name: {filler.type}. Known: {', '.join(FILLERS)}.")
    if filler.sparse != -1 and filler.type != "gaussian":
        raise NetError(f"{owner}: Sparsity not supported by the {filler.type} filler. Remove `sparse`.")
    if 0 in shape:
        return device.zeros(shape, lasting=True)
    try:
        return make(filler, shape)
    except ValueError as error:
        raise NetError(f"{owner}: {filler.type} filler: {error}") from error


def _constant(filler: caffe_pb2.FillerParameter, shape: Shape) -> torch.Tensor:
    if filler.value == 0:
        return device.zeros(shape, lasting=True)
    return torch.full(shape, filler.value, dtype=torch.float32, device=device.current())


def _uniform(low: float, high: float, shape: Shape) -> torch.Tensor:
    if low > high:
        raise ValueError(f"min {low} is above max {high}")
    return torch.empty(shape, dtype=torch.float32, device=device.current()).uniform_(
        low, high, generator=device.generator()
    )


def _gaussian(mean: float, std: float, shape: Shape) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float32, device=device.current()).normal_(
        mean, std, generator=device.generator()
    )


def _sparse_gaussian(filler: caffe_pb2.FillerParameter, shape: Shape) -> torch.Tensor:
    """With `sparse: s`, each weight survives with probability s / number of outputs."""
    values = _gaussian(filler.mean, filler.std, shape)
    if filler.sparse < 0:
        return values
    if not shape:
        raise ValueError("a sparse filler needs at least one axis")
    keep = torch.empty(shape, dtype=torch.float32, device=values.device)
    keep.bernoulli_(min(1.0, filler.sparse / shape[0]), generator=device.generator())
    return values * keep


def _positive_unitball(filler: caffe_pb2.FillerParameter, shape: Shape) -> torch.Tensor:
    """Uniform on [0, 1], scaled so that the inputs of every output sum to 1."""
    values = _uniform(0.0, 1.0, shape)
    rows = values.view(shape[0], -1)
    return (rows / rows.sum(1, keepdim=True)).view(shape)


def _fan(filler: caffe_pb2.FillerParameter, shape: Shape) -> float:
    count = math.prod(shape)
    fan_in = count / shape[0] if shape else 1
    fan_out = count / shape[1] if len(shape) > 1 else count
    modes = caffe_pb2.FillerParameter
    return {modes.FAN_IN: fan_in, modes.FAN_OUT: fan_out, modes.AVERAGE: (fan_in + fan_out) / 2}[filler.variance_norm]


def _xavier(filler: caffe_pb2.FillerParameter, shape: Shape) -> torch.Tensor:
    scale = math.sqrt(3 / _fan(filler, shape))
    return _uniform(-scale, scale, shape)


def _msra(filler: caffe_pb2.FillerParameter, shape: Shape) -> torch.Tensor:
    return _gaussian(0.0, math.sqrt(2 / _fan(filler, shape)), shape)


def _bilinear(filler: caffe_pb2.FillerParameter, shape: Shape) -> torch.Tensor:
    """The bilinear interpolation kernel in every (output, input) slice: for one input channel per group."""
    if len(shape) != 4:
        raise ValueError(f"shape {shape_text(shape)}: Blob must be 4 dim.")
    if shape[2] != shape[3]:
        raise ValueError(f"shape {shape_text(shape)}: Filter must be square")
    size = shape[3]
    factor = math.ceil(size / 2)
    centre = (size - 1) / (2 * factor)
    ramp = 1 - (torch.arange(size, dtype=torch.float32, device=device.current()) / factor - centre).abs()
    return torch.outer(ramp, ramp).expand(shape).contiguous()


FILLERS: dict[str, Callable[[caffe_pb2.FillerParameter, Shape], torch.Tensor]] = {
    "constant": _constant,
    "gaussian": _sparse_gaussian,
    "uniform": lambda filler, shape: _uniform(filler.min, filler.max, shape),
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
