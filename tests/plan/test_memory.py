"""Freed memory is kept where the C library can do that, and the plan is on."""

import ctypes
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
