"""What the engine does with a blob's memory, beside computing with its values; not pycaffe's."""

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
    """Both sides of a blob: values (`data`) and gradient (`diff`), of one shape. Other blobs may share them."""

    def __init__(self, shape: Sequence[int], *, stable: bool):
        self.shape = tuple(int(dim) for dim in shape)
        count = math.prod(self.shape)
        self.data = Storage(count, stable=stable)
        self.diff = Storage(count, stable=stable)

    def resize(self, shape: tuple[int, ...]) -> None:
        """Take a new shape; the first values stay."""
        self.shape = shape
        count = math.prod(shape)
        self.data.resize(count)
        self.diff.resize(count)

    def snapshot(self) -> tuple[Any, ...]:
        """Shape and memory, for `restore` to bring back."""
        return self.shape, self.data, self.diff, *self.data.snapshot(), *self.diff.snapshot()

    def restore(self, state: tuple[Any, ...]) -> None:
        """Take the shape and memory of that time again, with whatever values are in it now."""
        self.shape, self.data, self.diff, *sides = state
        half = len(sides) // 2
        self.data.restore(tuple(sides[:half]))
        self.diff.restore(tuple(sides[half:]))

    @property
    def viewed(self) -> bool:
        """Whether a NumPy array of the values is alive."""
        return self.data.viewed

    @property
    def stamp(self) -> tuple[int, int, int]:
        """Where the values are, and another number whenever they may have changed."""
        return self.data.stamp(self.shape)

    def derived(self, make: Callable[..., torch.Tensor], *settings: object) -> torch.Tensor:
        """make(values, *settings), to be read only; kept until the values may have changed."""
        return self.data.derived(self.shape, make, *settings)

    def drop_derived(self) -> None:
        """Give back the memory of what was made of the values, which are about to change."""
        self.data.drop_derived()

    def short(self, lacks: Shorts) -> torch.Tensor | None:
        """The values without the rows and columns that `lacks` names; None where they are kept whole."""
        return self.data.short_tensor(lacks)

    def put_short(self, values: torch.Tensor, lacks: Shorts) -> None:
        """Replace the values by a map that lacks some rows and columns; whoever asks for it sees it whole."""
        self.data.put(values, lacks)

    def forget(self) -> None:
        """The values are about to be replaced: nobody needs the old ones, unless they hold a view of them."""
        self.data.forget()

    def give_up(self, why: str) -> None:
        """Nobody needs the values any more, unless they are a parameter's: to ask for them raises, until `renew`."""
        if not self.data.stable:
            self.data.give_up(why)

    def renew(self) -> None:
        """Values that were given up are zero again."""
        self.data.renew()

    def clear_grad(self) -> None:
        """Make the gradient zero."""
        self.diff.clear()

    def add_grad(self, values: torch.Tensor, *, own: bool = False) -> None:
        """Add to the gradient; `own` if nobody else holds the values' memory, which may then become this blob's."""
        self.diff.add(values, own=own)

    @property
    def lacks_grad(self) -> bool:
        """Whether no memory is taken for the gradient, which is zero."""
        return self.diff.absent

    def expect_grad(self) -> torch.Tensor | None:
        """Memory for the gradient that will be added next, if it is zero and was not asked for since.

        None for few values that were never asked for, and on a GPU.
        """
        return self.diff.make_room()

    def give_up_grad(self) -> None:
        """Nobody needs the gradient any more: it must not be asked for before `renew_grad`."""
        self.diff.give_up(_NOT_KEPT)

    def renew_grad(self) -> None:
        """A gradient that was given up is zero again."""
        self.diff.renew()

    def shares_grad(self, other: "Memory") -> bool:
        """Whether the gradient is the other blob's, too."""
        return self.diff is other.diff
