"""The order of a split's images.

An order is an endless sequence of indices that depends on its name, a seed and the number of images alone. So a
position in it is one number, and (seed, position) is all that a resumed training needs.

sequential   0, 1, 2, … and again from 0: for scoring
py3          drawn with replacement, as the published layers draw under Python 3: randint of random.Random(seed)
py2          the same under Python 2, whose randint made another use of the same generator: what was published
shuffle      every image once, in random order, then every image once in another random order, …
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def _sequential(rng: random.Random, n: int) -> Iterator[int]:
    return itertools.cycle(range(n))


def _py3(rng: random.Random, n: int) -> Iterator[int]:
    while True:
        yield rng.randint(0, n - 1)


def _py2(rng: random.Random, n: int) -> Iterator[int]:
    while True:
        yield int(rng.random() * n)


def _shuffle(rng: random.Random, n: int) -> Iterator[int]:
    while True:
        indices = list(range(n))
        rng.shuffle(indices)
        yield from indices


_ORDERS: dict[str, Callable[[random.Random, int], Iterator[int]]] = {
    "sequential": _sequential,
    "py3": _py3,
    "py2": _py2,
    "shuffle": _shuffle,
}
DEFAULT = "py3"
RANDOM = ("py3", "py2", "shuffle")


def mirrored(seed: int, position: int = 0, step: int = 1) -> Iterator[bool]:
    """Which images of an order come mirrored, each by the toss of a coin; entered as the order is."""
    rng = random.Random(f"mirror {seed}")
    return itertools.islice((rng.random() < 0.5 for _ in itertools.count()), position, None, step)


def offsets(seed: int, position: int = 0, step: int = 1) -> Iterator[tuple[float, float]]:
    """Where in the images of an order their crops lie, as shares of the room there is; entered as the order is."""
    rng = random.Random(f"crop {seed}")
    return itertools.islice(((rng.random(), rng.random()) for _ in itertools.count()), position, None, step)


def augmentations(seed: int, count: int, position: int = 0, step: int = 1) -> Iterator[tuple[float, ...]]:
    """Of each image of an order, so many numbers from 0 to 1 that say how it is changed; entered as the order is."""
    rng = random.Random(f"augment {seed}")
    drawn = (tuple(rng.random() for _ in range(count)) for _ in itertools.count())
    return itertools.islice(drawn, position, None, step)


def batches(items: Iterator[T], size: int) -> Iterator[tuple[T, ...]]:
    """So many items of an endless sequence at once."""
    while True:
        yield tuple(itertools.islice(items, size))


def indices(name: str, seed: int, n: int, position: int = 0, step: int = 1) -> Iterator[int]:
    """The order's indices, each in 0..n-1: that at `position`, and every `step`-th after it."""
    return itertools.islice(_ORDERS[name](random.Random(seed), n), position, None, step)
