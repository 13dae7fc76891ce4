"""One side of a Blob, its data or its diff: values on host and device (src/caffe/syncedmem.cpp).

On the CPU a NumPy array shares the tensor's memory. On a GPU, asking for the array copies the newest values to the host
and makes the host the newest side.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from caffe import device, modes
from caffe.blob.short_map import Shorts, lengthen
from caffe.errors import UsageError

LARGE = 2**20
"""Values (float32); a side of at least this many is set to zero only when it is read."""


class Storage:
    """One side of a Blob: `count` float32 values, whose memory is allocated when they are first read or written.

    stable: the memory never moves; new values are copied into it (parameters). Otherwise a new tensor replaces the old
    one, unless a NumPy view of the old one is alive: then the new values are copied into its memory.

    State           The values are                              _tensor     and
    absent          zeros                                       None
    whole           those of _tensor                            count
    short           those of _tensor with its border repeated   fewer       _lacks
    to be cleared   zeros, which are written when first read    any values  _to_clear
    newest on host  those of _host, on a GPU                    old values  _host, _host_is_newest
    given up        none: reading them is an error              None        _given_up

    In every state there may be: _room, after a resize the whole allocation, of which _tensor is the first part; _view,
    a weak reference to the NumPy view that a caller may hold; _times_shown, how often NumPy got the values; _derived,
    the cached result of `derived`.
    """

    def __init__(self, count: int, *, stable: bool = False):
        self.count = count
        self.stable = stable
        self._tensor: torch.Tensor | None = None
        self._lacks: Shorts | None = None
        """The rows and columns that a short `_tensor` lacks (short_map.py)."""
        self._room: torch.Tensor | None = None
        """After a resize, the whole allocation, of which `_tensor` is the first part."""
        self._view: weakref.ref[np.ndarray] | None = None
        self._times_shown = 0
        self._derived: tuple[object, torch.Tensor] | None = None
        self._host: np.ndarray | None = None
        self._host_is_newest = False
        self._to_clear = False
        self._given_up = ""
        """The message for those who read values that were given up."""

    @property
    def viewed(self) -> bool:
        """Whether a NumPy view of this memory is alive."""
        return self._view is not None and self._view() is not None

    def tensor(self, shape: Sequence[int]) -> torch.Tensor:
        """The newest values, as a tensor of this shape on the current device."""
        where = device.current()
        if self._given_up:
            raise UsageError(self._given_up)
        if self._tensor is None:
            self._tensor = modes.ordinary(device.zeros(shape, lasting=self.stable))
        if self._to_clear:
            self._tensor.zero_()
            self._to_clear = False
        if self._lacks:
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
        """The newest values without the rows and columns that `lacks` names; None if the map is stored whole."""
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
        """The newest values as a writable C-contiguous NumPy array of this shape; the host becomes the newest side."""
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
        """The address of the newest values, and their version; it differs whenever they may have changed."""
        newest = self.tensor(shape)
        return newest.data_ptr(), newest._version, self._times_shown

    @property
    def present(self) -> torch.Tensor | None:
        """The tensor of the present memory, whatever its shape; None if there is none."""
        return self._tensor

    def times(self, values: torch.Tensor | None) -> tuple[int, int]:
        """How often these values, the present ones, were written by torch, and shown to NumPy."""
        return 0 if values is None else values._version, self._times_shown

    def derived(self, shape: Sequence[int], make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(newest values, *settings), cached until the values may change."""
        stamp = (make, settings, self.stamp(shape))
        kept = self._derived  # read once: a net on another thread may share these weights
        if kept is not None and kept[0] == stamp:
            return kept[1]
        made = make(self.tensor(shape), *settings)
        self._derived = None if self.viewed else (stamp, made)  # whoever holds a view may write at any time
        return made

    def drop_derived(self) -> None:
        """Free the cached result of `derived`, because the values are about to change."""
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
        """Replace the values by a tensor on the current device, whole or without the rows and columns of `lacks`.

        The tensor's memory may become this side's: pass one that nobody else writes to.
        """
        if self._tensor is not None and (self.stable or self.viewed):
            values = lengthen(values, lacks) if lacks else values
            self.tensor(values.shape).copy_(values)
        else:
            self._tensor, self._lacks, self._room = modes.ordinary(values), lacks, None
            self._host_is_newest = self._to_clear = False
            self._given_up = ""

    def snapshot(self) -> tuple[Any, ...]:
        """The present memory on the device, without a copy of its values, as an argument of `restore`."""
        return self.count, self._tensor, self._lacks, self._room, self._to_clear, self._given_up

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to the memory of a snapshot; the values are those that it holds now."""
        if state[0] != self.count:
            self.release()
        self.count, self._tensor, self._lacks, self._room, self._to_clear, self._given_up = state
        self._host_is_newest = False

    def forget(self) -> None:
        """Free the values of an activation that is about to be replaced, so that their memory can be reused."""
        if not self.stable and not self.viewed:
            self._tensor = self._lacks = self._room = None

    def resize(self, count: int) -> None:
        """Hold `count` values: the first ones of the present memory if it is large enough, else zeros."""
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
        """Set all values to zero; at least LARGE of them only when they are next read."""
        if self._tensor is None:
            return
        if self.count < LARGE or self.viewed or self._host is not None:
            self.tensor((self.count,)).zero_()
        else:
            self._to_clear = True

    @property
    def absent(self) -> bool:
        """Whether no memory is allocated."""
        return self._tensor is None

    def make_room(self) -> torch.Tensor | None:
        """Hand over memory for the next gradient, with any values, if the present ones are unread zeros; else None.

        For a large parameter on the CPU that has no memory yet, it is newly allocated.
        """
        if self._tensor is None and self.stable and self.count >= LARGE and not device.mode_is_gpu():
            return modes.ordinary(device.zeros((self.count,), lasting=True))
        if not self._to_clear:
            return None
        room = self._tensor
        self.release()
        return room

    def add(self, values: torch.Tensor, *, own: bool) -> None:
        """Add values. own: nobody else uses their memory, which may become this side's."""
        own = own and values.is_contiguous() and values.untyped_storage().nbytes() == 4 * self.count
        if own and self._tensor is None and values.dtype == torch.float32:
            self._tensor = modes.ordinary(values)
        elif self._to_clear:
            self._to_clear = False
            self.tensor(values.shape).copy_(values)
        else:
            self.tensor(values.shape).add_(values)

    def give_up(self, why: str) -> None:
        """Free the values, unless a NumPy view is alive; reading them before `renew` or `put` raises UsageError."""
        if not self.viewed:
            self.release()
            self._given_up = why

    def renew(self) -> None:
        """Allow reading values that were given up; they are zero."""
        self._given_up = ""

    def release(self) -> None:
        """Free the memory; the values become zero."""
        self._tensor = self._lacks = self._room = self._derived = self._view = self._host = None
        self._host_is_newest = self._to_clear = False
        self._given_up = ""
