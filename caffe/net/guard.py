"""One thread at a time runs a net; and the rules for nets in forked processes.

A public call that runs or changes a net takes its lock without waiting, and is refused if another thread has it: it
could silently get the results of other inputs. A thread that takes the lock before it writes inputs waits instead.

A child of fork has no threads but the one that forked. OpenMP waits for the others for ever, so a child whose parent
has computed computes with one thread.
"""

import functools
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import torch

from caffe import device, modes
from caffe.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

_guards: "weakref.WeakSet[Guard]" = weakref.WeakSet()
_computed = False
"""Whether this process or one that it is a fork of has made a net, which fills weights."""


class Guard:
    """Access to a net, for one thread at a time."""

    def __init__(self) -> None:
        global _computed
        _computed = True
        self.lock = threading.RLock()
        self._inside: list[ExitStack | None] = []
        """For each call that the lock's holder is in, the modes of torch that it switched off."""
        _guards.add(self)

    def enter(self) -> bool:
        """Begin a call, with torch as if the program had set no modes; False where another thread has the lock."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            self._inside.append(None if self._inside else modes.left("cuda" if device.mode_is_gpu() else "cpu"))
        except BaseException:
            self.lock.release()
            raise
        return True

    def leave(self) -> None:
        """End the call that began last."""
        left = self._inside.pop()
        try:
            if left is not None:
                left.close()
        finally:
            self.lock.release()

    def renew(self) -> None:
        """In a child of fork: a lock that a thread of the parent has will not be released."""
        if self.lock.acquire(blocking=False):
            self.lock.release()
        else:
            self.lock, self._inside = threading.RLock(), []


class Guarded(Protocol):
    @property
    def guard(self) -> Guard: ...


G = TypeVar("G", bound=Guarded)


def guarded(call: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R]:
    """A method that runs or changes a net. Raises UsageError if another thread does, or holds the net's lock."""

    @functools.wraps(call)
    def alone(owner: G, *args: P.args, **kwargs: P.kwargs) -> R:
        guard = owner.guard
        if not guard.enter():
            raise UsageError(
                f"{type(owner).__name__} '{_name(owner)}': {call.__name__} was called by thread "
                f"'{threading.current_thread().name}' while another thread is using the net. Give each thread a net of "
                "its own on the same weights (build it, then `mine.share_with(net)`), or let each hold the lock, "
                "`with net.lock:`, from writing the inputs to reading the results."
            )
        try:
            return call(owner, *args, **kwargs)
        finally:
            guard.leave()

    return alone


def _name(owner: object) -> str:
    return getattr(getattr(owner, "net", owner), "name", "")


def _in_child() -> None:
    if _computed:
        torch.set_num_threads(1)
    for guard in list(_guards):
        guard.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
