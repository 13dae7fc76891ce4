"""Blob: the values (data) and gradient (diff) of one array, seen by NumPy and by torch alike.

Caffe's Blob and SyncedMemory (include/caffe/blob.hpp, src/caffe/syncedmem.cpp). NumPy's `.data` and `.diff` bring the
newest values to the host and make the host the newest side; on the CPU they are the tensor's own memory.
"""

import math
import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from caffe import device, modes
from caffe.blob.short_map import Shorts, lengthen
from caffe.copying import NotCopied
from caffe.errors import ShapeError, UsageError
from caffe.formats.blobproto import MAX_COUNT
from caffe.shapes import shape_text

MAX_AXES = 32
LARGE = 2**20
"""So many values are not made zero if nobody asks for them."""


class Storage:
    """One side of a Blob. Memory is taken when first asked for, as zeros.

    stable: the memory never moves, new values are copied in (parameters). Otherwise a new tensor takes the place of
    the old one, unless a NumPy view of the old one is alive: then its memory gets the new values.
    """

    def __init__(self, count: int, *, stable: bool = False):
        self.count = count
        self.stable = stable
        self._tensor: torch.Tensor | None = None
        self._lacks: Shorts | None = None
        """Rows and columns that `_tensor` leaves out, because they are like others (see short_map.py)."""
        self._room: torch.Tensor | None = None
        """After a resize, the whole memory, of which `_tensor` is the first part."""
        self._view: weakref.ref[np.ndarray] | None = None
        self._times_shown = 0
        self._derived: tuple[object, torch.Tensor] | None = None
        self._host: np.ndarray | None = None
        self._host_is_newest = False
        self._to_clear = False
        self._given_up = ""
        """Why there are no values, and how to keep them."""

    @property
    def viewed(self) -> bool:
        """Whether somebody holds a NumPy array that shares this memory."""
        return self._view is not None and self._view() is not None

    def tensor(self, shape: Sequence[int]) -> torch.Tensor:
        """The newest values, on the current device."""
        where = device.current()
        if self._given_up:
            raise UsageError(self._given_up)
        if self._tensor is None:
            self._tensor = modes.ordinary(device.zeros(shape, lasting=self.stable))
        if self._to_clear:
            self._tensor.zero_()
            self._to_clear = False
        self._make_whole()
        if self._tensor.device != where:
            self._move(where)
        if self._host_is_newest and self._host is not None:
            self._tensor.copy_(torch.from_numpy(self._host).view(self._tensor.shape))
            self._host_is_newest = False
        if self._tensor.shape == shape:
            return self._tensor
        self._tensor = modes.ordinary(self._tensor.contiguous())
        return self._tensor.view(tuple(shape))

    def _make_whole(self) -> None:
        if self._tensor is not None and self._lacks:
            self._tensor, self._lacks = modes.ordinary(lengthen(self._tensor, self._lacks)), None

    def short_tensor(self, lacks: Shorts) -> torch.Tensor | None:
        """The newest values without the rows and columns that `lacks` names; None where they are kept whole."""
        if self._tensor is None or self._lacks is None or self._tensor.device != device.current():
            return None
        return lengthen(self._tensor, self._lacks, lacks)

    def _move(self, where: torch.device) -> None:
        assert self._tensor is not None
        self._room = None
        if where.type == "cpu" and self._host is not None:
            host = torch.from_numpy(self._host)
            if not self._host_is_newest:
                host.copy_(self._tensor.reshape(-1))
            self._tensor, self._host, self._host_is_newest = host, None, False
        else:
            self._tensor = modes.ordinary(self._tensor.to(where))

    def array(self, shape: Sequence[int]) -> np.ndarray:
        """The newest values as a C-contiguous NumPy array, which from now on is the newest side."""
        held = self._view() if self._view is not None else None
        if device.mode_is_gpu():
            held = self._synced_host_array(shape)
        elif held is None or held.shape != tuple(shape):
            tensor = self.tensor(shape)
            if not tensor.is_contiguous() or tensor.dtype != torch.float32:
                tensor = self._tensor = modes.ordinary(tensor.float().contiguous())
            held = tensor.numpy()
            self._view = weakref.ref(held)
        self._times_shown += 1
        return held

    def stamp(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """Where the newest values are, and another number whenever they may have changed."""
        newest = self.tensor(shape)
        return newest.data_ptr(), newest._version, self._times_shown

    def derived(self, shape: Sequence[int], make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(newest values, *settings), kept until the values may have changed."""
        stamp = (make, settings, self.stamp(shape))
        kept = self._derived  # read once: a net on another thread may share these weights
        if kept is not None and kept[0] == stamp:
            return kept[1]
        made = make(self.tensor(shape), *settings)
        self._derived = None if self.viewed else (stamp, made)  # whoever holds a view may write at any time
        return made

    def drop_derived(self) -> None:
        """Give back the memory of what was made of the values, which are about to change."""
        self._derived = None

    def _synced_host_array(self, shape: Sequence[int]) -> np.ndarray:
        if not self._host_is_newest:
            newest = self.tensor(shape).reshape(-1)
            if self._host is None:
                self._host = np.empty(self.count, np.float32)
            torch.from_numpy(self._host).copy_(newest)
            self._host_is_newest = True
        assert self._host is not None
        return self._host.reshape(tuple(shape))

    def put(self, values: torch.Tensor, lacks: Shorts | None = None) -> None:
        """Replace the values by those of a tensor on the current device, of the same count but for what it `lacks`.

        Where no memory is taken yet, the tensor's becomes this side's own: give one that nobody else writes to.
        """
        if self._tensor is not None and (self.stable or self.viewed):
            values = lengthen(values, lacks) if lacks else values
            self.tensor(values.shape).copy_(values)
        else:
            self._tensor, self._lacks, self._room = modes.ordinary(values), lacks, None
            self._host_is_newest = self._to_clear = False
            self._given_up = ""

    def holds(self) -> tuple[Any, ...]:
        """What `hold` brings back: memory, not values, unless they are newest on the host."""
        return self.count, self._tensor, self._lacks, self._room, self._to_clear, self._given_up

    def hold(self, held: tuple[Any, ...]) -> None:
        """Have the memory of that time again, with whatever values it has now."""
        if held[0] != self.count:
            self.release()
        self.count, self._tensor, self._lacks, self._room, self._to_clear, self._given_up = held
        self._host_is_newest = False

    def forget(self) -> None:
        """New values are about to be put here: the old ones' memory may serve to make them."""
        if not self.stable and not self.viewed:
            self._tensor = self._lacks = self._room = None

    def resize(self, count: int) -> None:
        """Hold `count` values, which may be of another shape now.

        They are the first of those that the memory holds, if it has room for so many; else zeros.
        """
        self._make_whole()
        if count == self.count:
            return
        room = self._room
        if room is None and self._tensor is not None:
            room = self.tensor((self.count,))
        self.count = count
        self.release()
        if room is not None and count <= len(room):
            self._room, self._tensor = room, room[:count]

    def clear(self) -> None:
        """Make all values zero; many of them only when they are asked for."""
        if self._tensor is None:
            return
        if self.count < LARGE or self.viewed or self._host is not None:
            self.tensor((self.count,)).zero_()
        else:
            self._to_clear = True

    @property
    def absent(self) -> bool:
        """Whether no memory is taken."""
        return self._tensor is None

    def make_room(self) -> torch.Tensor | None:
        """Hand over memory whose values are zero and were not asked for since: a tensor with any values.

        On the CPU, where none is taken yet for many values that will stay, it is new.
        """
        if self._tensor is None and self.stable and self.count >= LARGE and not device.mode_is_gpu():
            return modes.ordinary(device.zeros((self.count,), lasting=True))
        if not self._to_clear:
            return None
        room = self._tensor
        self.release()
        return room

    def add(self, values: torch.Tensor, *, own: bool) -> None:
        """Add values; if they may be owned and this side has no memory, they become it."""
        own = own and values.is_contiguous() and values.untyped_storage().nbytes() == 4 * self.count
        if own and self._tensor is None and values.dtype == torch.float32:
            self._tensor = modes.ordinary(values)
        elif self._to_clear:
            self._to_clear = False
            self.tensor(values.shape).copy_(values)
        else:
            self.tensor(values.shape).add_(values)

    def give_up(self, why: str) -> None:
        """Give the memory back, and the values with it: whoever asks before there are new ones is told why."""
        if not self.viewed:
            self.release()
            self._given_up = why

    def renew(self) -> None:
        """Values that were given up are zeros now."""
        self._given_up = ""

    def release(self) -> None:
        """Give the memory back; the values become zeros."""
        self._tensor = self._lacks = self._room = self._derived = self._view = self._host = None
        self._host_is_newest = self._to_clear = False
        self._given_up = ""


class Blob(NotCopied):
    """An N-dimensional array of float32 with a gradient of the same shape.

    `data`, `diff`: NumPy arrays. `tensor`, `grad`: the same values as torch tensors on the current device.
    """

    instead = "Pickle or copy its values, blob.data.copy() and blob.diff.copy(), which are NumPy arrays."

    def __init__(self, shape: Sequence[int] = (), *, stable: bool = False):
        self._shape = tuple(int(dim) for dim in shape)
        count = math.prod(self._shape)
        self._data = Storage(count, stable=stable)
        self._diff = Storage(count, stable=stable)

    @classmethod
    def of(cls, values: torch.Tensor) -> "Blob":
        """A blob that holds a tensor."""
        blob = cls(values.shape)
        blob.tensor = values
        return blob

    @property
    def data(self) -> np.ndarray:
        """The values as a float32 array that may be written to."""
        return self._data.array(self._shape)

    @property
    def diff(self) -> np.ndarray:
        """The gradient of the loss as a float32 array that may be written to."""
        return self._diff.array(self._shape)

    @property
    def tensor(self) -> torch.Tensor:
        """The values as a tensor on the current device; not pycaffe's."""
        return self._data.tensor(self._shape)

    @tensor.setter
    def tensor(self, values: torch.Tensor) -> None:
        self._data.put(values)

    def derived(self, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(tensor, *settings), to be read only; kept until the values may have changed."""
        return self._data.derived(self._shape, make, *settings)

    def drop_derived(self) -> None:
        """Give back the memory of what was made of `tensor`, which is about to change."""
        self._data.drop_derived()

    @property
    def stamp(self) -> tuple[int, int, int]:
        """Where `tensor` is, and another number whenever its values may have changed."""
        return self._data.stamp(self._shape)

    def holds(self) -> tuple[Any, ...]:
        """Shape and memory, for `hold` to bring back."""
        return self._shape, self._data, self._diff, *self._data.holds(), *self._diff.holds()

    def hold(self, held: tuple[Any, ...]) -> None:
        """Have the shape and memory of that time again, with whatever values are in it now."""
        self._shape, self._data, self._diff, *memory = held
        half = len(memory) // 2
        self._data.hold(tuple(memory[:half]))
        self._diff.hold(tuple(memory[half:]))

    def short_tensor(self, lacks: Shorts) -> torch.Tensor | None:
        """`tensor` without the rows and columns that `lacks` names; None where it is kept whole."""
        return self._data.short_tensor(lacks)

    def put_short(self, values: torch.Tensor, lacks: Shorts) -> None:
        """Replace `tensor` by a map that lacks some rows and columns; whoever asks for it sees it whole."""
        self._data.put(values, lacks)

    def forget(self) -> None:
        """`tensor` is about to be replaced: nobody needs the old values, unless they hold a view of them."""
        self._data.forget()

    def give_up(self, why: str) -> None:
        """Nobody needs `tensor` any more, unless it is a parameter's: asking for it before `renew` is an error."""
        if not self._data.stable:
            self._data.give_up(why)

    def renew(self) -> None:
        """A `tensor` that was given up is zero again."""
        self._data.renew()

    @property
    def grad(self) -> torch.Tensor:
        """The gradient of the loss as a tensor on the current device; not pycaffe's."""
        return self._diff.tensor(self._shape)

    @grad.setter
    def grad(self, values: torch.Tensor) -> None:
        self._diff.put(values)

    def clear_grad(self) -> None:
        """Make `grad` zero."""
        self._diff.clear()

    def give_up_grad(self) -> None:
        """Nobody needs `grad` any more: it must not be asked for before `renew_grad`."""
        self._diff.give_up(
            "Blob: this diff was not kept, because keep_diffs is False. To see diffs of blobs, set net.keep_diffs = "
            "True before the net runs backward."
        )

    def renew_grad(self) -> None:
        """A `grad` that was given up is zero again."""
        self._diff.renew()

    def expect_grad(self) -> torch.Tensor | None:
        """Memory for the gradient that will be added next, if `grad` is zero and was not asked for since.

        None for few values that were never asked for, and on a GPU.
        """
        return self._diff.make_room()

    @property
    def lacks_grad(self) -> bool:
        """Whether no memory is taken for `grad`, which is zero."""
        return self._diff.absent

    def add_grad(self, values: torch.Tensor, *, own: bool = False) -> None:
        """Add to `grad`; `own` if nobody else holds the values' memory, which may then become this blob's."""
        self._diff.add(values, own=own)

    @property
    def viewed(self) -> bool:
        """Whether a NumPy array of `data` is alive."""
        return self._data.viewed

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all axes."""
        return self._shape

    @property
    def count(self) -> int:
        """The number of values, the product of the shape."""
        return self._data.count

    def reshape(self, *dims: int) -> None:
        """Take a new shape, given as numbers or as one sequence. The first values stay; they become zeros where the
        new shape needs more memory. Raises ShapeError."""
        if dims == self._shape:
            return
        given: Any = dims[0] if len(dims) == 1 and hasattr(dims[0], "__len__") else dims
        try:
            shape = tuple(map(operator.index, given))
        except TypeError as error:
            raise ShapeError(f"Blob.reshape: shape {dims}, expected whole numbers: reshape(1, 3, 227, 227)") from error
        if len(shape) > MAX_AXES or min(shape, default=0) < 0:
            raise ShapeError(
                f"Blob.reshape: shape {shape_text(shape)}, expected at most {MAX_AXES} axes, none of them negative"
            )
        if math.prod(shape) > MAX_COUNT:
            raise ShapeError(
                f"Blob.reshape: shape {shape_text(shape)} has {math.prod(shape):,} values, expected at most "
                f"{MAX_COUNT:,} (blob size exceeds INT_MAX). Correct the sizes."
            )
        self._shape = shape
        self._data.resize(math.prod(shape))
        self._diff.resize(math.prod(shape))

    def share_data(self, other: "Blob") -> None:
        """Use the other blob's memory for the data (Blob::ShareData)."""
        self._data = other._data

    def share_diff(self, other: "Blob") -> None:
        """Use the other blob's memory for the diff (Blob::ShareDiff)."""
        self._diff = other._diff

    def shares_grad(self, other: "Blob") -> bool:
        """Whether the diff is the other blob's, too."""
        return self._diff is other._diff

    def _legacy_dim(self, axis: int) -> int:
        if len(self._shape) > 4:
            raise ShapeError(
                f"Blob: shape {shape_text(self._shape)}: Cannot use legacy accessors on Blobs with > 4 axes. "
                "num, channels, height and width cover 4: use `shape`."
            )
        return self._shape[axis] if axis < len(self._shape) else 1

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
        return f"Blob{self._shape}"


class BlobVec(list[Blob]):
    """A layer's parameters (pycaffe's BlobVec)."""

    def add_blob(self, *dims: int) -> None:
        """Append a parameter of this shape, zero-filled."""
        self.append(Blob(dims, stable=True))
