"""Blob: the values (data) and gradient (diff) of one array, seen by NumPy and by torch alike.

Caffe's Blob (include/caffe/blob.hpp). storage.py is one side of it, memory.py the engine's access to both sides.
"""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from caffe.blob.memory import Memory
from caffe.copying import NotCopied
from caffe.errors import ShapeError
from caffe.formats.blobproto import MAX_COUNT
from caffe.shapes import shape_text

MAX_AXES = 32


class Blob(NotCopied):
    """An N-dimensional array of float32 with a gradient of the same shape.

    `data`, `diff`: NumPy arrays. Not pycaffe's: `tensor`, `grad`, the same values as torch tensors on the current
    device, and `memory`, for the engine.
    """

    instead = "Pickle or copy its values, blob.data.copy() and blob.diff.copy(), which are NumPy arrays."

    def __init__(self, shape: Sequence[int] = (), *, stable: bool = False):
        self.memory = Memory(shape, stable=stable)

    @classmethod
    def of(cls, values: torch.Tensor) -> "Blob":
        """A blob with the shape and the values of a tensor, without a copy."""
        blob = cls(values.shape)
        blob.tensor = values
        return blob

    @property
    def data(self) -> np.ndarray:
        """The values: a writable float32 array of the blob's shape."""
        return self.memory.data.array(self.memory.shape)

    @property
    def diff(self) -> np.ndarray:
        """The gradient of the loss: a writable float32 array of the blob's shape."""
        return self.memory.diff.array(self.memory.shape)

    @property
    def tensor(self) -> torch.Tensor:
        """The values: a tensor of the blob's shape on the current device; not in pycaffe."""
        return self.memory.data.tensor(self.memory.shape)

    @tensor.setter
    def tensor(self, values: torch.Tensor) -> None:
        self.memory.data.put(values)

    @property
    def grad(self) -> torch.Tensor:
        """The gradient of the loss: a tensor of the blob's shape on the current device; not in pycaffe."""
        return self.memory.diff.tensor(self.memory.shape)

    @grad.setter
    def grad(self, values: torch.Tensor) -> None:
        self.memory.diff.put(values)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all axes."""
        return self.memory.shape

    @property
    def count(self) -> int:
        """The number of values, the product of the shape."""
        return self.memory.data.count

    def reshape(self, *dims: int) -> None:
        """Take a new shape, given as numbers or as one sequence. Raises ShapeError.

        The first values stay; all become zero if the new shape needs more memory.
        """
        if dims == self.memory.shape:
            return
        given: Any = dims[0] if len(dims) == 1 and hasattr(dims[0], "__len__") else dims
        try:
            shape = tuple(map(operator.index, given))
        except TypeError as error:
            raise ShapeError(
                f"Blob.reshape: shape {dims}, expected whole numbers: reshape(1, 3, 227, 227). Correct the shape."
            ) from error
        if len(shape) > MAX_AXES or min(shape, default=0) < 0:
            raise ShapeError(
                f"Blob.reshape: shape {shape_text(shape)}, expected at most {MAX_AXES} axes, none of them negative."
                " Correct the shape.",
                found=shape,
            )
        if math.prod(shape) > MAX_COUNT:
            raise ShapeError(
                f"Blob.reshape: shape {shape_text(shape)} has {math.prod(shape):,} values, expected at most "
                f"{MAX_COUNT:,} (blob size exceeds INT_MAX). Correct the sizes.",
                found=shape,
                expected=MAX_COUNT,
                remedy="Correct the sizes.",
            )
        self.memory.resize(shape)

    def share_data(self, other: "Blob") -> None:
        """Use the other blob's memory for the data (Blob::ShareData)."""
        self.memory.data = other.memory.data

    def share_diff(self, other: "Blob") -> None:
        """Use the other blob's memory for the diff (Blob::ShareDiff)."""
        self.memory.diff = other.memory.diff

    def _legacy_dim(self, axis: int) -> int:
        if len(self.memory.shape) > 4:
            raise ShapeError(
                f"Blob: shape {shape_text(self.memory.shape)}: Cannot use legacy accessors on Blobs with > 4 axes. "
                "num, channels, height and width cover 4. Use `shape`."
            )
        return self.memory.shape[axis] if axis < len(self.memory.shape) else 1

    @property
    def num(self) -> int:
        """Legacy name of shape[0]; 1 if there is no such axis."""
        return self._legacy_dim(0)

    @property
    def channels(self) -> int:
        """Legacy name of shape[1]; 1 if there is no such axis."""
        return self._legacy_dim(1)

    @property
    def height(self) -> int:
        """Legacy name of shape[2]; 1 if there is no such axis."""
        return self._legacy_dim(2)

    @property
    def width(self) -> int:
        """Legacy name of shape[3]; 1 if there is no such axis."""
        return self._legacy_dim(3)

    def __repr__(self) -> str:
        return f"Blob{self.memory.shape}"


class BlobVec(list[Blob]):
    """The parameters of a layer (pycaffe's BlobVec)."""

    def add_blob(self, *dims: int) -> None:
        """Append a parameter of this shape, filled with zeros."""
        self.append(Blob(dims, stable=True))
