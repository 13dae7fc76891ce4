"""Freed memory is kept where the C library can do that, and the plan is on."""

import ctypes
import subprocess
import sys

import pytest

from caffe.plan import memory
from tests.plan.nets import plainly


class Library:
    """A C library that notes what it is told."""

    def __init__(self, *, glibc: bool = True):
        self.told = []
        if glibc:
            self.gnu_get_libc_version = lambda: b"2.31"

    def mallopt(self, option: int, value: int) -> int:
        self.told.append(option)
        return 1


@pytest.fixture
def library(monkeypatch):
    monkeypatch.setattr(memory, "_library", memory._library)
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    return library


def test_glibc_is_told_to_keep_memory(library):
    memory.keep()
    assert sorted(library.told) == [-4, -1]


def test_nothing_is_told_without_the_plan(library):
    with plainly():
        memory.keep()
    assert not library.told


def test_nothing_is_told_elsewhere(library, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    memory.keep()
    other = Library(glibc=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: other)
    memory.keep()
    assert not library.told + other.told


FRAGMENTS = """
import torch
import caffe.net
from caffe.plan import memory
memory.LEAST, memory.FIRST = 0, 1
small, large = [], []
for _ in range(300):
    small.append(torch.ones(1000))
    large.append(torch.ones(250_000))
memory.settle()
full = memory.resident()
large.clear()
memory.settle()
print(full - memory.resident(), end=" ")
memory._needed = full / 2
memory.settle()
print(full - memory.resident(), end=" ")
large += [torch.ones(250_000) for _ in range(300)]
memory.settle()
print(full - memory._needed)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_what_lies_unused_is_given_back_when_it_is_much():
    done = subprocess.run([sys.executable, "-c", FRAGMENTS], capture_output=True, text=True, check=True)
    kept, given, needed_again = done.stdout.split()
    assert int(kept) < 50e6
    assert int(given) > 250e6
    assert int(needed_again) < 50e6
