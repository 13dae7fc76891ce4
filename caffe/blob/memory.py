"""Memory: the engine's access to a blob's memory, beyond its values; not in pycaffe."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from caffe.blob.short_map import Shorts
from caffe.blob.storage import Storage

_NOT_KEPT = (
    "Blob: this diff was not kept, because keep_diffs is False. To see diffs of blobs, set net.keep_diffs = True "
    "before the net runs backward."
)


class Memory:
    """Both sides of a blob, values (`data`) and gradient (`diff`), which have one shape; other blobs may share them."""

    def __init__(self, shape: Sequence[int], *, stable: bool):
        self.shape = tuple(int(dim) for dim in shape)
        count = math.prod(self.shape)
        self.data = Storage(count, stable=stable)
        self.diff = Storage(count, stable=stable)

    def resize(self, shape: tuple[int, ...]) -> None:
        """Take a new shape; the first values stay if there is memory for all."""
        self.shape = shape
        count = math.prod(shape)
        self.data.resize(count)
        self.diff.resize(count)

    def snapshot(self) -> tuple[Any, ...]:
        """The present shape and memory, as an argument of `restore`."""
        return self.shape, self.data, self.diff, *self.data.snapshot(), *self.diff.snapshot()

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to the shape and memory of a snapshot; the values are those that the memory holds now."""
        self.shape, self.data, self.diff, *sides = state
        half = len(sides) // 2
        self.data.restore(tuple(sides[:half]))
        self.diff.restore(tuple(sides[half:]))

    @property
    def viewed(self) -> bool:
        """Whether a NumPy view of the values is alive."""
        return self.data.viewed

    @property
    def stamp(self) -> tuple[int, int, int]:
        """The address of the values and their version; it differs whenever the values may have changed."""
        return self.data.stamp(self.shape)

    def derived(self, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(values, *settings), cached until the values may change; only to be read."""
        return self.data.derived(self.shape, make, *settings)

    def drop_derived(self) -> None:
        """Free the cached result of `derived`, because the values are about to change."""
        self.data.drop_derived()

    def short(self, lacks: Shorts) -> torch.Tensor | None:
        """The values without the rows and columns that `lacks` names; None if the map is stored whole."""
        return self.data.short_tensor(lacks)

    def put_short(self, values: torch.Tensor, lacks: Shorts) -> None:
        """Replace the values by a short map, without the rows and columns of `lacks`; readers see it whole."""
        self.data.put(values, lacks)

    def forget(self) -> None:
        """Drop the values, which are about to be replaced; kept for parameters and while a NumPy view is alive."""
        self.data.forget()

    def give_up(self, why: str) -> None:
        """Free the values of an activation; reading them raises UsageError with this text, until `renew`."""
        if not self.data.stable:
            self.data.give_up(why)

    def renew(self) -> None:
        """Allow reading values that were given up; they are zero."""
        self.data.renew()

    def clear_grad(self) -> None:
        """Set the gradient to zero."""
        self.diff.clear()

    def add_grad(self, values: torch.Tensor, *, own: bool = False) -> None:
        """Add to the gradient. own: nobody else uses the memory of the values, which may become the gradient's."""
        self.diff.add(values, own=own)

    @property
    def lacks_grad(self) -> bool:
        """Whether the gradient is zero and has no memory."""
        return self.diff.absent

    def expect_grad(self) -> torch.Tensor | None:
        """Memory into which the next gradient may be computed, if the present one is zero and nobody has read it.

        None for small parameters whose gradient nobody has read yet, and on a GPU.
        """
        return self.diff.make_room()

    def give_up_grad(self, why: str = _NOT_KEPT) -> None:
        """Free the gradient; reading it raises UsageError with this text, until `renew_grad`."""
        self.diff.give_up(why)

    def renew_grad(self) -> None:
        """Allow reading a gradient that was given up; it is zero."""
        self.diff.renew()

    def shares_grad(self, other: "Memory") -> bool:
        """Whether both blobs have the same gradient memory."""
        return self.diff is other.diff
