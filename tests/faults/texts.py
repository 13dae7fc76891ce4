"""Damage to text that has words, numbers, quotes and brackets: prototxt, Python literals, JSON, lists."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from tests.faults import bytes_of
from tests.faults.child import Input

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|[\w.+-]+|\n|\s+|.', re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d")
_WORDS = (
    *("0", "1", "-1", "1e400", "-1e400", "nan", "inf", "-inf", "true", "false", "TRUE", "None", "null", "0x10", "1.5"),
    *(
        "9" * 400,
        "1" + "0" * 5000,
        "...",
        "..",
        ".",
        "/",
        "/etc/x",
        "a" * 5000,
        "é",
        "\u0663",
        "\u2028",
        "\0",
        "\x1b[2J",
    ),
    *("~", "$HOME", "%s", "{}", "[]", "()", "''", '""', "#", "\\", "\\x00", "\\u0000", "\\777", "\ufeff", "\r", "\t"),
    *("__import__('os').system('true')", "/dev/null/x", "../../x", "con", "-", "--", ",", ";", ":", "NaN", "1,5"),
)
_BRACKETS = (("{", "}"), ("[", "]"), ("(", ")"), ("layer {", "}"), ("<", ">"), ("-", ""), ("[{'a':", "}]"))


def damaged(text: str, draw: random.Random, words: tuple[str, ...] = ()) -> bytes:
    """The text with one to four changes, encoded in one way or another; `words` are the language's own."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        change = draw.choice(_CHANGES)
        tokens = _TOKEN.findall(text)
        if tokens:
            change(tokens, draw, words)
        text = "".join(tokens)
    return _encoded(text, draw)


def damage(name: str, words: tuple[str, ...] = ()) -> Callable[[Input, random.Random], Input]:
    """Damage to the text file `name` of an input."""

    def change(files: Input, draw: random.Random) -> Input:
        return {**files, name: damaged(files[name].decode("utf-8", "replace"), draw, words)}

    return change


def _encoded(text: str, draw: random.Random) -> bytes:
    choice, content = draw.random(), text.encode("utf-8", "replace")
    if choice < 0.85:
        return content
    if choice < 0.95:
        return bytes_of.damaged(content, draw)
    return draw.choice(
        (
            "\ufeff".encode() + content,
            text.encode("utf-16"),
            text.encode("latin-1", "replace") + b"\xe9",
            text.replace("\n", "\r\n").encode("utf-8", "replace"),
            text.replace("\n", "\r").encode("utf-8", "replace"),
        )
    )


def _pick(tokens: list[str], draw: random.Random) -> int:
    """A token that is no space."""
    for _ in range(8):
        place = draw.randrange(len(tokens))
        if not tokens[place].isspace():
            return place
    return place


def _replace(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    place = _pick(tokens, draw)
    word = draw.choice(words) if words and draw.random() < 0.5 else draw.choice(_WORDS)
    if tokens[place][:1] in "\"'" and draw.random() < 0.8:
        word = tokens[place][0] + word + tokens[place][0]
    tokens[place] = word


def _renumber(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    places = [place for place, token in enumerate(tokens) if _NUMBER.match(token)]
    if places:
        value = draw.choice(bytes_of.REALS) if draw.random() < 0.2 else bytes_of.number(draw)
        tokens[draw.choice(places)] = str(value)


def _remove(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    place = _pick(tokens, draw)
    del tokens[place : place + draw.choice((1, 1, 2, 8))]


def _repeat(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    place, count = _pick(tokens, draw), draw.choice((1, 2, 8, 40))
    tokens[place:place] = tokens[place : place + count] * draw.choice((1, 1, 2, 50))


def _move(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    one, other = _pick(tokens, draw), _pick(tokens, draw)
    tokens[one], tokens[other] = tokens[other], tokens[one]


def _insert(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    tokens.insert(_pick(tokens, draw), draw.choice(words or _WORDS) + draw.choice(("", " ", "\n", ": ")))


def _nest(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    """Brackets around a stretch, few or very many."""
    begin, depth = _pick(tokens, draw), draw.choice((1, 2, 60, 120, 3000, 100_000))
    opening, closing = draw.choice(_BRACKETS)
    tokens.insert(min(begin + draw.choice((1, 5)), len(tokens)), closing * depth)
    tokens.insert(begin, opening * depth)


def _truncate(tokens: list[str], draw: random.Random, words: tuple[str, ...]) -> None:
    del tokens[_pick(tokens, draw) :]


_CHANGES = (_replace, _replace, _replace, _renumber, _renumber, _remove, _repeat, _move, _insert, _nest, _truncate)
