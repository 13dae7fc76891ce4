"""Damage to any bytes: what disks, networks and careless programs do, and numbers that readers stumble over."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

NUMBERS = (
    *(0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 1023, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1),
    *(2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -128, -(2**31), -(2**63)),
)
"""Whole numbers at which something changes: signs, widths, and sizes that no file has."""
REALS = (0.0, -0.0, 0.5, -1.0, 2.0, 1e-45, 1e38, -1e38, float("inf"), float("-inf"), float("nan"))
_WIDTHS = ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))


def number(draw: random.Random, low: int = -(2**63), high: int = 2**64 - 1) -> int:
    """A number within the limits: small, at an edge, or any."""
    choice = draw.random()
    if choice < 0.35:
        return min(max(draw.randrange(-2, 10), low), high)
    if choice < 0.9:
        return min(max(draw.choice(NUMBERS), low), high)
    return draw.randint(low, high)


def varint(value: int) -> bytes:
    value %= 2**64
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The same with one to four changes."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        content = draw.choice(_CHANGES)(content, draw)
    return content


def weighted(draw: random.Random, *ways: tuple[float, T]) -> T:
    """One of several, as often as its weight says."""
    return draw.choices([way for _, way in ways], [weight for weight, _ in ways])[0]


def _place(content: Sequence[int], draw: random.Random) -> int:
    """Anywhere, but more often near the beginning and the end, where headers are."""
    size = len(content)
    choice = draw.random()
    if choice < 0.3:
        return draw.randrange(min(size, 64) + 1)
    return size - draw.randrange(min(size, 64) + 1) if choice < 0.4 else draw.randrange(size + 1)


def _flip(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 30))):
        if changed:
            changed[min(_place(changed, draw), len(changed) - 1)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _truncate(content: bytes, draw: random.Random) -> bytes:
    return content[: _place(content, draw)]


def _behead(content: bytes, draw: random.Random) -> bytes:
    return content[_place(content, draw) :]


def _cut(content: bytes, draw: random.Random) -> bytes:
    begin = _place(content, draw)
    return content[:begin] + content[begin + draw.choice((1, 2, 4, 8, 100)) :]


def _repeat(content: bytes, draw: random.Random) -> bytes:
    begin, size = _place(content, draw), draw.choice((1, 4, 16, 200))
    return content[: begin + size] + content[begin : begin + size] * draw.choice((1, 1, 10)) + content[begin + size :]


def _insert(content: bytes, draw: random.Random) -> bytes:
    begin = _place(content, draw)
    return content[:begin] + draw.randbytes(draw.choice((1, 2, 4, 8, 64))) + content[begin:]


def _overwrite(content: bytes, draw: random.Random) -> bytes:
    """An integer or a varint of some width, over what is there."""
    begin = _place(content, draw)
    width, code = draw.choice(_WIDTHS)
    value = number(draw) % 2 ** (8 * width)
    new = struct.pack(draw.choice("<>") + code, value) if draw.random() < 0.8 else varint(number(draw))
    return content[:begin] + new + content[begin + len(new) :]


def _blank(content: bytes, draw: random.Random) -> bytes:
    begin, size = _place(content, draw), draw.choice((4, 64, 512, 4096))
    size = min(size, len(content) - begin)
    return content[:begin] + draw.choice((b"\0", b"\xff")) * size + content[begin + size :]


def _swap(content: bytes, draw: random.Random) -> bytes:
    one, other, size = _place(content, draw), _place(content, draw), draw.choice((1, 4, 16, 64))
    one, other = min(one, other), max(one, other)
    if one + size > other:
        return content
    return (
        content[:one]
        + content[other : other + size]
        + content[one + size : other]
        + content[one : one + size]
        + content[other + size :]
    )


def _lengthen(content: bytes, draw: random.Random) -> bytes:
    return content + draw.choice((b"\0", b"\n", content, draw.randbytes(40))) * draw.choice((1, 3))


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip, _flip, _flip, _truncate, _truncate, _overwrite, _overwrite, _overwrite, _overwrite),
    *(_behead, _cut, _repeat, _insert, _blank, _swap, _lengthen),
)
