"""safetensors files: a length, a header in JSON that says where each array lies, and the numbers.

caffe/formats/safetensors.py reads those that the engine wrote. This reader is apart because it serves BVLC Caffe, too.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "U8": "<u1"}


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, each of its own shape. Raises ValueError where header and file disagree."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError(f"'{path}' is too short for its header, expected a safetensors file. Fetch it again.")
    try:
        header, numbers = json.loads(content[8 : 8 + length]), memoryview(content)[8 + length :]
        return {name: _array(entry, numbers) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"'{path}' is not a safetensors file that can be read ({error}). Fetch it again.") from error


def _array(entry: dict, numbers: memoryview) -> np.ndarray:
    dtype, shape, (begin, end) = np.dtype(KINDS[entry["dtype"]]), entry["shape"], entry["data_offsets"]
    if min(begin, *shape, 0) < 0 or end > len(numbers) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of shape {shape} is said to be at {begin} to {end} of {len(numbers)} bytes")
    values = np.frombuffer(numbers[begin:end], dtype).reshape(shape)
    if entry["dtype"] == "BF16":
        return (values.astype("<u4") << 16).view("<f4")
    return values
