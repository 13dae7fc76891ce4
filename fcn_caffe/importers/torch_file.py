"""Files of torch.save (.pth, .pt) as NumPy arrays; torch is not needed, and nothing in a file is executed.

Both forms are read: the zip archives of PyTorch 1.6 and later, and what it wrote before. A file is a pickle that refers
to storages, which lie beside it as raw numbers.

Files are not trusted. torch.load(weights_only=True) would not execute them either, but it unpacks a compressed storage,
which torch.save never writes, before it looks how large it is: 1 MB takes 1 GB. Here no length is believed before it is
held against the file's.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import struct
import zipfile
import zlib
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

ReadStorage = Callable[[str, np.dtype, int], np.ndarray]


def read(path: Path) -> dict[str, np.ndarray]:
    """The state dict in a file: arrays by name, each of its own shape. Raises ValueError for a file that has none."""
    with open(path, "rb") as file:
        content = _read(file, path)
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, np.ndarray) for value in content.values()):
        raise ValueError(
            f"'{path}' holds a {type(content).__name__}, expected a state dict: names and arrays."
            " Save model.state_dict() instead."
        )
    return {name[7:] if name.startswith("module.") else name: array for name, array in content.items()}


def _read(file: BinaryIO, path: Path) -> Any:
    """What a file holds. Raises ValueError for damage of whatever kind."""
    try:
        return _read_zip(file) if zipfile.is_zipfile(file) else _read_old(file, path.stat().st_size)
    except (
        OSError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        struct.error,
        zlib.error,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RuntimeError,
        MemoryError,
    ) as error:
        said = "memory is short" if isinstance(error, MemoryError) else str(error) or "it ends too early"
        raise ValueError(
            f"'{path}' is not a file of torch.save that holds weights ({said}). Fetch it again."
        ) from error


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is a compressed archive, which torch.save does not write")
        (index,) = (name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl"))
        root = index[: -len("data.pkl")]

        size = file.seek(0, io.SEEK_END)
        read: dict[tuple[str, np.dtype], np.ndarray] = {}

        def content(name: str) -> bytes:
            if archive.getinfo(name).file_size > size:
                raise ValueError(f"{name} is said to have {archive.getinfo(name).file_size} bytes, more than the file")
            return archive.read(name)

        def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
            name = f"{root}data/{key}"
            if archive.getinfo(name).file_size != count * dtype.itemsize:
                raise ValueError(
                    f"{name} has {archive.getinfo(name).file_size} bytes, expected {count}×{dtype.itemsize}"
                )
            if (key, dtype) not in read:
                read[key, dtype] = np.frombuffer(content(name), dtype)
            return read[key, dtype]

        return _Unpickler(io.BytesIO(content(index)), storage).load()


def _read_old(file: BinaryIO, size: int) -> Any:
    file = _Within(file, size)  # type: ignore[assignment]
    file.seek(0)
    made: dict[str, np.ndarray] = {}

    def plain() -> Any:
        return _Unpickler(file, storage).load()

    def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        """Filled below: the numbers come after the pickle."""
        if key not in made:
            promised = sum(array.nbytes for array in made.values())
            if not 0 <= count * dtype.itemsize <= size - promised:
                raise ValueError(f"storage {key} of {count} numbers is larger than the file")
            made[key] = np.zeros(count, dtype)
        return made[key]

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


class _Within:
    """A file from which nobody can ask for more than it has: Python takes the memory before it looks."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._size = file, size
        self.seek, self.readline = file.seek, file.readline

    def read(self, count: int) -> bytes:
        return self._file.read(min(count, self._size - self._file.tell()))

    def readinto(self, room: Any) -> int:
        return self._file.readinto(room)  # type: ignore[attr-defined]


_Base: Any = pickle._Unpickler


class _Unpickler(_Base):
    """Admits what a state dict consists of, and nothing else.

    pickle's unpickler in Python, because the one in C takes the memory that a number in the pickle asks for.
    """

    dispatch = dict(_Base.dispatch)

    def __init__(self, file: Any, storage: ReadStorage):
        super().__init__(file)
        self.storage = storage

    def set_state(self) -> None:
        """What an OrderedDict has besides its entries is left out; nothing else may have a state."""
        self.stack.pop()
        if not isinstance(self.stack[-1], collections.OrderedDict):
            raise pickle.UnpicklingError("it gives a state to something else than a dictionary")

    dispatch[pickle.BUILD[0]] = set_state

    def bytes_of_their_own(self) -> None:
        """Refused: the room for them is taken by what the pickle says."""
        raise pickle.UnpicklingError("it holds a bytearray, expected arrays of numbers alone")

    dispatch[pickle.BYTEARRAY8[0]] = bytes_of_their_own

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
    if math.prod(size) > len(storage):
        raise ValueError(f"an array of shape {size} repeats the {len(storage)} numbers of its storage")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)
