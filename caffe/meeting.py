"""Where processes meet, and sums over those that torchrun has started.

torchrun starts all processes anew when one has failed, at the same meeting point: what earlier ones left there must not
be taken for what the present ones say (a network address where nobody listens any more).
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import torch
from torch import distributed
from torch.distributed.rendezvous import rendezvous

MEETING = timedelta(minutes=5)
"""How long processes wait for all to have come."""
LOOK = 0.02
"""Seconds between two looks at the meeting point."""


@contextmanager
def entered() -> Iterator[None]:
    """Join the other processes at the meeting point that the environment names, and leave when all have ended."""
    store, rank, count = next(rendezvous("env://"))
    distributed.init_process_group("gloo", store=fresh(store, rank, count), rank=rank, world_size=count)
    try:
        yield
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def fresh(store: distributed.Store, rank: int, count: int) -> distributed.Store:
    """A part of the meeting point that only the processes that meet now know, and in which nothing is yet.

    Process 0 draws its name. Each of the others leaves a number of its own, again and again, until it finds the name
    under that number. Raises RuntimeError if one of them does not come.
    """
    until = time.monotonic() + MEETING.total_seconds()
    name = _given_to_all(store, count, until) if rank == 0 else _taken(store, rank, until)
    return distributed.PrefixStore(name, store)


def _given_to_all(store: distributed.Store, count: int, until: float) -> str:
    name, waiting = uuid.uuid4().hex, set(range(1, count))
    while True:
        for rank in list(waiting):
            if store.check([f"here/{rank}"]):
                store.set(f"name/{_text(store, f'here/{rank}')}", name)
            if store.check([f"{name}/taken/{rank}"]):
                waiting.remove(rank)
        if not waiting:
            return name
        _pause(until, ", ".join(map(str, sorted(waiting))))


def _taken(store: distributed.Store, rank: int, until: float) -> str:
    own = uuid.uuid4().hex
    while not store.check([f"name/{own}"]):
        store.set(f"here/{rank}", own)
        _pause(until, "0")
    name = _text(store, f"name/{own}")
    store.set(f"{name}/taken/{rank}", "")
    return name


def _text(store: distributed.Store, key: str) -> str:
    value: bytes = store.get(key)
    return value.decode()


def _pause(until: float, whom: str) -> None:
    if time.monotonic() > until:
        raise RuntimeError(f"process {whom} has not come within {MEETING.total_seconds():.0f} s")
    time.sleep(LOOK)


def total(values: np.ndarray) -> np.ndarray:
    """The sum of the processes' arrays, which have one shape, in 64 bits."""
    summed = torch.from_numpy(np.array(values, np.float64 if values.dtype.kind == "f" else np.int64))
    distributed.all_reduce(summed)
    return summed.numpy()
