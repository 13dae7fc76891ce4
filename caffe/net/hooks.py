"""Functions that a user has called before or after each layer of a net."""

from collections.abc import Callable

Hook = Callable[[int], object]
"""Called with the index of a layer."""


class Hooks:
    """The functions of one net, by when they are called."""

    def __init__(self) -> None:
        self.before_forward: list[Hook] = []
        self.after_forward: list[Hook] = []
        self.before_backward: list[Hook] = []
        self.after_backward: list[Hook] = []

    def __bool__(self) -> bool:
        return bool(self.before_forward or self.after_forward or self.before_backward or self.after_backward)


def call(hooks: list[Hook], index: int) -> None:
    """Call each for one layer."""
    for hook in hooks:
        hook(index)
