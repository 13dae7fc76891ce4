"""The dense CRF of images: kernels over position and colour, and the parameters of the papers that use it."""

import math
import numbers
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caffe import device
from caffe.ops.gaussian_filter import ExactSum, GaussianFilter, check_normalization
from caffe.ops.mean_field import mean_field, softmax
from caffe.ops.permutohedral import Lattice
from caffe.shapes import shape_text


class Kernel(NamedTuple):
    """A Gaussian over positions (pixels) and, if `colour` is given, colours (values of 0 … 255).

    `weight` is that of a Potts compatibility. A deviation is a number for all, or one for x and y, for each channel.
    """

    weight: float
    position: float | tuple[float, float]
    colour: float | tuple[float, ...] | None = None


class CrfParameters(NamedTuple):
    """A dense CRF."""

    kernels: tuple[Kernel, ...]
    iterations: int
    normalization: str


PRESETS = {
    # pydensecrf's README
    "pydensecrf": CrfParameters((Kernel(3, 3), Kernel(10, 80, 13)), 5, "symmetric"),
    # Krähenbühl and Koltun's demonstration
    "krahenbuhl": CrfParameters((Kernel(3, 3), Kernel(10, 60, 20)), 10, "after"),
    # Chen, Papandreou and others, ICLR 2015: the script of their code for PASCAL VOC, found by the paper's search
    "deeplab": CrfParameters((Kernel(3, 3), Kernel(4, 49, 5)), 10, "after"),
    # Zheng, Jayasumana and others, ICCV 2015: where learning starts
    "crf-rnn": CrfParameters((Kernel(3, 3), Kernel(5, 160, 3)), 10, "after"),
    # Pathak, Krähenbühl and Darrell, ICCV 2015: as it stands, and tuned on DeepLab's scores
    "ccnn": CrfParameters((Kernel(6, 6), Kernel(5, 50, 4)), 10, "after"),
    "ccnn-tuned": CrfParameters((Kernel(15, 19), Kernel(35, 61, 10)), 10, "after"),
    # Noh, Hong and Han, ICCV 2015
    "edeconvnet": CrfParameters((Kernel(3, 3), Kernel(5, 20, 3)), 10, "after"),
}


def dense_crf(scores: Tensor, images: Tensor | None, parameters: CrfParameters, exact: bool = False) -> Tensor:
    """Q (B, classes, H, W): the marginal probabilities of the mean field.

    `scores` (B, classes, H, W) are log-probabilities or scores before a softmax. `images` (B, channels, H, W) have
    values of 0 … 255, or are None where no kernel has colours; a mean that was subtracted from them is no matter to the
    exact sum, and little to the lattice, which then lies otherwise. `exact` takes the exact sums, in N² time.
    Differentiable with respect to the scores.
    """
    check(parameters)
    _check_inputs(scores, images)
    return torch.stack(
        [
            _infer(one, _filters(one.shape[1], one.shape[2], image, one, parameters, exact), parameters)
            for one, image in zip(scores, [None] * len(scores) if images is None else images, strict=True)
        ]
    )


def marginals(scores: np.ndarray, image: np.ndarray, parameters: CrfParameters) -> np.ndarray:
    """`dense_crf` of NumPy's arrays: scores (classes, H, W) and an image (H, W, channels) to Q (classes, H, W).

    It is computed where the nets are.
    """
    return inference(image, parameters)(scores)


def inference(image: np.ndarray, parameters: CrfParameters) -> Callable[[np.ndarray], np.ndarray]:
    """`marginals` of one image, as a function of the scores: its filters are made once for all calls."""
    check(parameters)
    if image.ndim != 3:
        raise ValueError(f"the image has the shape {shape_text(image.shape)}; expected (height, width, channels)")
    height, width = image.shape[:2]
    pixels = _tensor(image).permute(2, 0, 1)
    filters = _filters(height, width, pixels, pixels, parameters, False)

    def of(scores: np.ndarray) -> np.ndarray:
        given = _tensor(scores)
        _check_inputs(given[None], pixels[None])
        with torch.no_grad():
            return _infer(given, filters, parameters).cpu().numpy()

    return of


def _tensor(values: np.ndarray) -> Tensor:
    """Where the nets are computed."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device.current())


def check(parameters: CrfParameters) -> None:
    """Raise ValueError unless weights are finite, deviations above 0, iterations a count, and the normalization is
    known.
    """
    check_normalization(parameters.normalization)
    iterations = parameters.iterations
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 0:
        raise ValueError(f"iterations is {iterations!r}; expected a whole number, 0 or more")
    for kernel in parameters.kernels:
        if not _is_finite(kernel.weight):
            raise ValueError(f"a kernel has the weight {kernel.weight!r}; expected a finite number")
        _check_deviation(kernel.position, "one for both axes, or two")
        if isinstance(kernel.position, tuple) and len(kernel.position) != 2:
            raise ValueError(f"a kernel has the deviations {kernel.position} of positions; expected one, or two")
        if kernel.colour is not None:
            _check_deviation(kernel.colour, "one for all channels, or as many")


def _check_deviation(deviation: object, how_many: str) -> None:
    values = deviation if isinstance(deviation, tuple) else (deviation,)
    if not values or not all(_is_finite(value) and value > 0 for value in values):
        raise ValueError(f"a kernel has the deviation {deviation!r}; expected numbers above 0, {how_many}")


def _is_finite(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def image_filter(
    height: int,
    width: int,
    kernel: Kernel,
    normalization: str,
    image: Tensor | None = None,
    like: Tensor | None = None,
    exact: bool = False,
) -> Lattice | ExactSum:
    """The filter of a kernel over the pixels, row by row, of one image (channels, H, W).

    A lattice over positions alone is kept, since only the size determines it. `like` gives the type and the device.
    """
    like = torch.empty(0) if like is None else like
    if kernel.colour is None and not exact:
        return _position_lattice(height, width, kernel.position, normalization, like.dtype, like.device)
    features = _positions(height, width, kernel.position, like.dtype, like.device)
    if kernel.colour is not None:
        if image is None:
            raise ValueError("a kernel over colours needs an image; None was given")
        features = torch.cat([features, _colours(image, kernel.colour).to(features)], 1)
    return (ExactSum if exact else Lattice)(features, normalization)


def _filters(
    height: int, width: int, image: Tensor | None, like: Tensor, parameters: CrfParameters, exact: bool
) -> list[Lattice | ExactSum]:
    return [
        image_filter(height, width, kernel, parameters.normalization, image, like, exact)
        for kernel in parameters.kernels
    ]


def _infer(scores: Tensor, filters: Sequence[GaussianFilter], parameters: CrfParameters) -> Tensor:
    """(classes, H, W) to (classes, H, W)."""
    classes, height, width = scores.shape
    unary = scores.reshape(classes, -1).t().contiguous()
    weights = [kernel.weight for kernel in parameters.kernels]
    q = softmax(mean_field(unary, filters, weights, parameters.iterations))
    return q.t().reshape(classes, height, width)


@lru_cache(maxsize=8)
def _position_lattice(
    height: int,
    width: int,
    deviation: float | tuple[float, float],
    normalization: str,
    dtype: torch.dtype,
    device: torch.device,
) -> Lattice:
    return Lattice(_positions(height, width, deviation, dtype, device), normalization)


def _positions(
    height: int, width: int, deviation: float | tuple[float, float], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(H · W, 2): x and y in deviations."""
    x, y = deviation if isinstance(deviation, tuple) else (deviation, deviation)
    columns = torch.arange(width, dtype=dtype, device=device) / x
    rows = torch.arange(height, dtype=dtype, device=device) / y
    return torch.stack([columns.repeat(height), rows.repeat_interleave(width)], 1)


def _colours(image: Tensor, deviation: float | tuple[float, ...]) -> Tensor:
    """(H · W, channels): colours in deviations."""
    pixels = image.detach().reshape(len(image), -1).t()
    if isinstance(deviation, tuple) and len(deviation) != len(image):
        raise ValueError(f"{len(deviation)} colour deviations for an image of {len(image)} channels; expected as many")
    return pixels / torch.tensor(deviation, dtype=torch.get_default_dtype(), device=image.device)


def _check_inputs(scores: Tensor, images: Tensor | None) -> None:
    if scores.dim() != 4 or not scores.numel():
        raise ValueError(f"scores have the shape {tuple(scores.shape)}; expected (images, classes, height, width)")
    whole = not scores.is_floating_point()
    if whole or not scores.isfinite().all():
        what = scores.dtype if whole else "values that are not finite"
        raise ValueError(f"scores have {what}; expected finite floats: the mean field carries each to every pixel")
    batch, _, height, width = scores.shape
    if images is not None and (images.dim() != 4 or (len(images), *images.shape[2:]) != (batch, height, width)):
        found = tuple(images.shape)
        raise ValueError(
            f"images have the shape {found}; expected ({batch}, channels, {height}, {width}) as the scores"
        )
