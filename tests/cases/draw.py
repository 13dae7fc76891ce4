"""Values drawn from a seed and a word. NumPy's legacy generator: the same stream in every NumPy version."""

from __future__ import annotations

import re
import zlib

import numpy as np


def generator(*names: object) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32("\n".join(map(str, names)).encode()))


def draw(kind: str, shape, rng: np.random.RandomState) -> np.ndarray:
    """An array of `shape` (float32) of the kind, e.g. "normal" or "labels(5)".

    normal             standard normal
    weights            normal, divided by the square root of the fan-in (count / first dimension)
    uniform(a,b)       uniform between a and b
    positive           uniform between 0.2 and 2
    distinct           a permutation of evenly spaced values in [-2, 2]: no ties, nothing near a neighbour
    he                 normal, variance 2 / fan-in: a chain of convolutions and ReLUs keeps its size
    bilinear           the kernel of bilinear upsampling, from each channel to itself
    integers(n)        whole numbers -n..n (ties)
    labels(n)          whole numbers 0..n-1
    values(1,0,2)      these values, repeated as often as needed
    probabilities      positive, the sum over axis 1 is 1
    signs              -1 or 1
    binary             0 or 1
    zeros, ones
    """
    word, arguments = _parse(kind)
    if word not in _KINDS:
        raise ValueError(f"kind {kind!r} is not known. Known: {', '.join(sorted(_KINDS))}")
    return np.ascontiguousarray(_KINDS[word](rng, tuple(shape), *arguments), dtype=np.float32)


def _parse(kind: str) -> tuple[str, list[float]]:
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", kind)
    if not match:
        raise ValueError(f"kind {kind!r}: expected a word or word(1,2)")
    return match.group(1), [float(number) for number in (match.group(2) or "").split(",") if number.strip()]


def _normal(rng, shape):
    return rng.standard_normal(shape)


def _weights(rng, shape):
    fan_in = int(np.prod(shape[1:], dtype=int))
    return rng.standard_normal(shape) / np.sqrt(max(1, fan_in))


def _he(rng, shape):
    return _weights(rng, shape) * np.sqrt(2)


def _bilinear(rng, shape):
    def triangle(size):
        factor = (size + 1) // 2
        center = factor - 1 if size % 2 else factor - 0.5
        return 1 - abs(np.arange(size) - center) / factor

    values = np.zeros(shape)
    for channel in range(shape[0]):
        values[channel, channel if shape[1] > 1 else 0] = np.outer(triangle(shape[2]), triangle(shape[3]))
    return values


def _uniform(rng, shape, low, high):
    return rng.random_sample(shape) * (high - low) + low


def _distinct(rng, shape):
    count = int(np.prod(shape, dtype=int))
    return rng.permutation(np.linspace(-2, 2, count) if count > 1 else np.ones(count)).reshape(shape)


def _values(rng, shape, *values):
    return np.resize(np.array(values), shape)


def _probabilities(rng, shape):
    values = rng.random_sample(shape) + 0.05
    return values / values.sum(axis=1, keepdims=True)


_KINDS = {
    "normal": _normal,
    "weights": _weights,
    "he": _he,
    "bilinear": _bilinear,
    "uniform": _uniform,
    "positive": lambda rng, shape: _uniform(rng, shape, 0.2, 2.0),
    "distinct": _distinct,
    "integers": lambda rng, shape, n: rng.randint(-int(n), int(n) + 1, shape),
    "labels": lambda rng, shape, n: rng.randint(0, int(n), shape),
    "values": _values,
    "probabilities": _probabilities,
    "signs": lambda rng, shape: 2 * rng.randint(0, 2, shape) - 1,
    "binary": lambda rng, shape: rng.randint(0, 2, shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "ones": lambda rng, shape: np.ones(shape),
}
