"""Weights as safetensors: the length of a header, the header in JSON, which says where each array lies, the numbers.

Each array is called as in the state_dict of the net's module: `conv1.weight`, `conv1.bias` (parameter_names.py).
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from caffe.errors import FormatError
from caffe.formats import parameter_names
from caffe.formats.atomic import open_atomic
from caffe.formats.caffemodel import LayerWeights
from caffe.formats.mapped import PathLike, map_file
from caffe.shapes import shape_text

KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4"}
LONGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""
ALIGNED = 8


def is_safetensors(content: memoryview) -> bool:
    """Whether these bytes begin as a safetensors file does: a length, then a JSON object of about that length."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 10 or not 2 <= length <= min(len(content) - 8, LONGEST_HEADER):
        return False
    return content[8] == ord("{") and content[7 + length] in b"} "


def read(path: PathLike) -> list[LayerWeights]:
    """The weights in a file, layer by layer. Raises FormatError for a damaged one, and for names of no parameters."""
    return by_layer(arrays(path), f"'{os.fspath(path)}'")


def by_layer(found: Mapping[str, np.ndarray], origin: str) -> list[LayerWeights]:
    """Arrays by name as layers with their blobs. origin: where they are from, for errors."""
    layers: dict[str, dict[int, np.ndarray]] = {}
    for name, values in found.items():
        layer, _, word = name.rpartition(".")
        index = parameter_names.index_of(word)
        if not layer or index is None:
            raise FormatError(
                f"{origin}: an array is called '{name}', expected LAYER.weight, LAYER.bias or LAYER.blobN. "
                "Name arrays as caffe.to_module(net).state_dict() does."
            )
        layers.setdefault(layer, {})[index] = values
    return [
        LayerWeights(layer, "", [blobs.get(index) for index in range(max(blobs) + 1)])
        for layer, blobs in layers.items()
    ]


def arrays(path: PathLike) -> dict[str, np.ndarray]:
    """Name → array of float32. Raises FormatError for a file whose header does not fit what it holds."""
    content = map_file(path)
    if not is_safetensors(content):
        raise FormatError(f"'{os.fspath(path)}' is no safetensors file, or is cut off. Fetch it again.")
    length = int.from_bytes(content[:8], "little")
    try:
        header, numbers = json.loads(bytes(content[8 : 8 + length])), content[8 + length :]
        return {name: _array(entry, numbers) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise FormatError(
            f"'{os.fspath(path)}' is not a safetensors file that can be read ({error}). Fetch it again."
        ) from error


def _array(entry: Any, numbers: memoryview) -> np.ndarray:
    kind, shape, (begin, end) = np.dtype(KINDS[entry["dtype"]]), tuple(entry["shape"]), entry["data_offsets"]
    if not all(isinstance(number, int) and number >= 0 for number in (begin, end, *shape)):
        raise ValueError(f"an array of shape {shape_text(shape)} at {begin} to {end}")
    if end > len(numbers) or end - begin != math.prod(shape) * kind.itemsize:
        raise ValueError(
            f"an array of shape {shape_text(shape)} is said to be at {begin} to {end} of {len(numbers)} bytes"
        )
    values = np.frombuffer(numbers[begin:end], kind).reshape(shape)
    if entry["dtype"] == "BF16":
        return (values.astype("<u4") << 16).view("<f4")
    return values.astype("<f4", copy=False)


def write(path: PathLike, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] = {}) -> None:
    """A file of arrays of float32, whole or not at all."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, values in arrays.items():
        size = values.size * 4
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    with open_atomic(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in arrays.values():
            file.write(np.ascontiguousarray(values, "<f4").tobytes())
