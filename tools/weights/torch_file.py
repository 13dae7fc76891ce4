"""Files of torch.save (.pth, .pt) as NumPy arrays; torch is not needed, and nothing in a file is executed.

Both forms are read: the zip archives of PyTorch 1.6 and later, and what it wrote before. A file is a pickle that refers
to storages, which lie beside it as raw numbers.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

STORAGES = {
    "HalfStorage": np.float16,
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
OLD_MAGIC = 0x1950A86A20F9469CFC6C

Storage = Callable[[str, np.dtype, int], np.ndarray]


def read(path: Path) -> dict[str, np.ndarray]:
    """The state dict in a file: name to array. Raises ValueError for a file that holds none."""
    try:
        with open(path, "rb") as file:
            content = _read_zip(file) if zipfile.is_zipfile(file) else _read_old(file, path.stat().st_size)
    except (
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        struct.error,
        EOFError,
        KeyError,
        TypeError,
        IndexError,
    ) as error:
        raise ValueError(
            f"'{path}' is not a file of torch.save that holds weights ({error}). Fetch it again."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, np.ndarray) for value in content.values()):
        raise ValueError(f"'{path}' holds a {type(content).__name__}, expected a state dict: names and arrays.")
    return {name[7:] if name.startswith("module.") else name: array for name, array in content.items()}


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        (index,) = (name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl"))
        root = index[: -len("data.pkl")]

        def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
            name = f"{root}data/{key}"
            if archive.getinfo(name).file_size != count * dtype.itemsize:
                raise ValueError(
                    f"{name} has {archive.getinfo(name).file_size} bytes, expected {count}×{dtype.itemsize}"
                )
            return np.frombuffer(archive.read(name), dtype)

        return _Unpickler(io.BytesIO(archive.read(index)), storage).load()


def _read_old(file: BinaryIO, size: int) -> Any:
    file.seek(0)
    made: dict[str, np.ndarray] = {}

    def plain() -> Any:
        return _Unpickler(file, storage).load()

    def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        """Filled below: the numbers come after the pickle."""
        if not 0 <= count * dtype.itemsize <= size:
            raise ValueError(f"storage {key} of {count} numbers is larger than the file")
        return made.setdefault(key, np.zeros(count, dtype))

    if plain() != OLD_MAGIC:
        raise ValueError("it does not begin as such a file does")
    plain(), plain()  # the version of the format, and the system it was written on
    content = plain()
    for key in plain():
        (count,) = struct.unpack("<q", file.read(8))
        values = np.frombuffer(file.read(made[key].nbytes), made[key].dtype)
        if count != len(made[key]) or len(values) != count:
            raise ValueError(f"storage {key} has {count} numbers, expected {len(made[key])}")
        made[key][:] = values
    return content


class _Unpickler(pickle.Unpickler):
    """Admits what a state dict consists of, and nothing else."""

    def __init__(self, file: Any, storage: Storage):
        super().__init__(file)
        self.storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        admitted = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor"): _tensor,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda array, *_: array,
        }
        if (module, name) not in admitted:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, expected arrays of numbers alone")
        return admitted[module, name]

    def persistent_load(self, reference: Any) -> np.ndarray:
        kind, dtype, key, _, count = reference[:5]
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(count, int):
            raise pickle.UnpicklingError("it refers to something else than numbers")
        return self.storage(str(key), dtype, count)


def _tensor(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> np.ndarray:
    """A view of a storage, which must lie within it."""
    last = offset + sum((length - 1) * step for length, step in zip(size, stride))
    if not math.prod(size):
        return np.zeros(size, storage.dtype)
    if min(offset, *size, *stride, 0) < 0 or last >= len(storage):
        raise ValueError(f"an array of shape {size} reaches out of its {len(storage)} numbers")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)
