"""Stand-ins for caffe.Net: what surgery uses of it."""

from types import SimpleNamespace
from typing import Any

import numpy as np


def net(types: dict[str, str] | None = None, **params: list[Any]) -> SimpleNamespace:
    """A net with these parameters: each layer's list holds arrays, or shapes, which are filled with 0, 1, 2, …"""
    blobs = {}
    for layer, arrays in params.items():
        values = [
            a if isinstance(a, np.ndarray) else np.arange(np.prod(a), dtype=np.float32).reshape(a) for a in arrays
        ]
        blobs[layer] = [SimpleNamespace(data=array.astype(np.float32)) for array in values]
    layers = {layer: SimpleNamespace(type=(types or {}).get(layer, "Convolution")) for layer in blobs}
    return SimpleNamespace(params=blobs, layer_dict=layers)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)
