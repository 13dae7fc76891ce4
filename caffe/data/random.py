"""Random numbers as Caffe's data layers draw them: one seed gives the crops, mirrors and orders it gives in real Caffe.

caffe_rng_rand and shuffle (include/caffe/util/rng.hpp): the 32-bit words of boost's mt19937, which NumPy's legacy
generator yields too. Fillers and Dropout draw elsewhere, so they do not move the data.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from caffe import device

WORDS = 2**32


class Random:
    """A stream of random 32-bit words."""

    def __init__(self, seed: int):
        self._words = _stream(seed)

    def word(self) -> int:
        return next(self._words)

    def below(self, count: int) -> int:
        """0 … count - 1, as Caffe draws it: the remainder of a word."""
        return self.word() % count

    def shuffle(self, items: list[Any]) -> None:
        """Put a list in random order, in place (Fisher-Yates over boost::uniform_int)."""
        for last in range(len(items) - 1, 0, -1):
            bucket = WORDS // (last + 1)
            chosen = self.word() // bucket
            while chosen > last:
                chosen = self.word() // bucket
            items[last], items[chosen] = items[chosen], items[last]


def _stream(seed: int) -> Iterator[int]:
    source = np.random.RandomState(seed % WORDS)
    while True:
        yield from source.randint(0, WORDS, 256, np.uint32).tolist()


_engine: tuple[torch.Generator, Random] | None = None
"""The engine's generator, which a new seed replaces, and the stream that began with its seed."""


def new_seed() -> int:
    """The next word of the stream that `caffe.set_random_seed` starts: the seed of a layer's own Random."""
    global _engine
    generator = device.generator(torch.device("cpu"))
    if _engine is None or _engine[0] is not generator:
        _engine = generator, Random(generator.initial_seed())
    return _engine[1].word()
